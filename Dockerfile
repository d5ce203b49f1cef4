# The API. x86-64, because the lock also names the development servers, whose wheels exist for nothing else.
FROM --platform=linux/amd64 python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.txt ./
# One lock for everybody: all of it is fetched and checked by hash, then only what the API needs is installed.
RUN pip download --no-cache-dir --only-binary :all: --require-hashes -r requirements.txt -d /wheels
COPY LICENSE README.md pyproject.toml ./
COPY api api
COPY schema schema
COPY archive_store archive_store
RUN python -m venv /opt/registrar \
    && /opt/registrar/bin/pip install --no-cache-dir --no-index --find-links /wheels .

FROM --platform=linux/amd64 python:3.11-slim-bookworm
# What printed certificates and transcripts carry.
RUN apt-get update \
    && apt-get install -y --no-install-recommends fonts-wqy-zenhei \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/registrar --create-home registrar \
    && chmod 0700 /var/lib/registrar
COPY --from=build /opt/registrar /opt/registrar
COPY scripts/container-start /usr/local/bin/
ENV PATH=/opt/registrar/bin:$PATH PYTHONUNBUFFERED=1 REGISTRAR_HOST=0.0.0.0 \
    REGISTRAR_CERTIFICATE_FONT_FILE=/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc
USER registrar
WORKDIR /var/lib/registrar
# The keyring; lose it and the encrypted fields and scans are lost.
VOLUME /var/lib/registrar
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/health/ready', timeout=4)"]
ENTRYPOINT ["container-start"]
CMD ["serve"]

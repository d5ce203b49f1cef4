"""Settings, read from the environment (`REGISTRAR_…`). Whatever the policy leaves open has no hidden default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIB = 1024 * 1024
ScanCipherName = Literal["AES_256_GCM", "SM4_GCM"]
_SAFE_VAULT = re.compile(r"https://[^/?#@\s]+|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/|$)")
_ORIGIN = re.compile(r"https?://[^/?#@\s]+")


class Settings(BaseSettings):
    """Everything an installation sets. Sizes are bytes, times seconds."""

    model_config = SettingsConfigDict(env_prefix="REGISTRAR_", extra="forbid", frozen=True)

    mongodb_url: SecretStr = Field(description="MongoDB URL of a replica set, with its user and password.")
    mongodb_database: str = Field("registrar", description="Name of the database.")
    s3_endpoint: str = Field(description="S3 server as host:port.")
    s3_access_key: SecretStr = Field(description="S3 access key.")
    s3_secret_key: SecretStr = Field(description="S3 secret key.")
    s3_bucket: str = Field("registrar-scans", description="Bucket of the encrypted scans.")
    s3_secure: bool = Field(True, description="Speak TLS to the S3 server.")
    keyring_file: Path = Field(description="File of the root keys, mode 0600 (`registrar keyring create`).")

    root_keys: Literal["keyring", "vault"] = Field(
        "keyring",
        description="Where the root key lies under which the keys of scans are wrapped from now on.",
    )
    vault_url: str | None = Field(None, description="HashiCorp Vault, such as https://vault.example:8200.")
    vault_token: SecretStr | None = Field(None, description="Token for Vault.")
    vault_token_file: Path | None = Field(
        None, description="A file with the token for Vault, read at each use, instead of the token."
    )
    vault_mount: str = Field("transit", description="Where Vault's transit engine is mounted.")
    vault_key: str = Field("registrar", pattern=r"^[\w.-]+$", description="Name of the transit key.")
    vault_namespace: str | None = Field(None, description="Namespace in Vault.")
    vault_ca_file: Path | None = Field(
        None, description="Certificates of those who vouch for Vault, instead of the usual ones."
    )

    oidc_issuer: str = Field(description="Issuer that a sign-in token must name.")
    oidc_audience: str = Field("registrar", description="Audience that a sign-in token must name.")
    oidc_jwks_url: str | None = Field(
        None,
        description="Where the issuer publishes its keys (JWKS), instead of asking its discovery document.",
    )
    oidc_jwks_file: Path | None = Field(
        None, description="A file with the issuer's keys, instead of the URL."
    )
    oidc_untyped_tokens: bool = Field(
        False, description="Take access tokens whose `typ` is `JWT` or missing, not only `at+jwt`."
    )

    public_url: str | None = Field(
        None,
        pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$",
        description="Where the public reaches this server, such as https://registrar.school.example: it names the "
        "school in signed certificates (did:web), so it is kept for good. Without it none is issued.",
    )
    certificate_font_file: Path | None = Field(
        None,
        description="A TrueType font with Chinese, which printed certificates carry and charts are drawn with.",
    )
    public_checks_a_minute: int = Field(
        60,
        ge=0,
        description="Checks of certificates and transcripts that one address may ask for in a minute; 0: no limit.",
    )
    host: str = Field("127.0.0.1", description="Address to serve on.")
    port: int = Field(8000, description="Port to serve on.")
    websocket_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins beside our own whose pages may open a WebSocket, between blanks."
    )
    graphiql: bool = Field(False, description="Serve the GraphiQL page at /graphql.")
    worker_seconds: float = Field(
        5.0, ge=0, description="Pause between two rounds of the worker's jobs; 0 runs none in this process."
    )
    sequencer_seconds: float = Field(
        0.5,
        ge=0,
        description="Pause between two rounds of the audit log's sequencer; 0 runs none in this process.",
    )
    audit_hash: Literal["sha256", "sm3"] = Field(
        "sha256",
        description="Hash of the audit history: `sha256`, or `sm3`; an installation keeps its first.",
    )
    audit_publish_folder: Path | None = Field(
        None, description="Folder into which each newest checkpoint of the audit log is written."
    )
    audit_witnesses: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Witnesses of the audit log, `<verifier key>@<URL>`, between blanks."
    )
    deputy_director_seats: int = Field(2, ge=0, description="Seats of deputy director, policy §二(二).")
    crisis_review_days: int = Field(
        7, ge=1, description="Days in which a crisis team's review is due, policy §四(一)."
    )
    file_transfer_days: int = Field(
        30, ge=1, description="Days in which the receipt of an archive that was sent is due, policy §三(一)."
    )
    verification_refresh_minutes: float = Field(
        60, gt=0, description="Minutes after which a running semester verification lists its students anew."
    )
    verification_reminder_working_days: int = Field(
        3, ge=0, description="Working days before its end at which a verification reminds; 0 reminds nobody."
    )
    roster_size_limit: int = Field(50 * MIB, gt=0, description="Largest roster file.")
    roster_row_limit: int = Field(50_000, gt=0, description="Most rows of a roster.")
    import_expiry_hours: float = Field(
        72, gt=0, description="Hours that a roster is kept which was begun and nobody ran."
    )
    scan_size_limit: int = Field(2048 * MIB, gt=0, description="Largest scan.")
    scan_page_limit: int = Field(5_000, gt=0, description="Most pages of a scan.")
    scan_cipher: ScanCipherName = Field(
        "AES_256_GCM", description="Cipher of scans from now on: `AES_256_GCM` or `SM4_GCM` (国密)."
    )
    upload_expiry_hours: float = Field(
        48, gt=0, description="Hours that an unfinished upload is kept since it last went on."
    )
    clamd: str | None = Field(
        None,
        pattern=r"^(/.+|[^/\s]+:[0-9]{1,5})$",
        description="The ClamAV daemon that scans are shown to, as host:port or the path of its socket.",
    )
    fixity_days: int = Field(
        90, ge=0, description="Days in which every scan is read again and checked; 0 checks none unasked."
    )
    page_size_limit: int = Field(100, gt=0, le=1000, description="Most nodes of one page of a connection.")
    cost_limit: int = Field(20_000, gt=0, description="Most that one GraphQL operation may cost.")
    compiled_plans: bool = Field(
        True, description="Run GraphQL selections of plain fields as compiled functions; off, field by field."
    )

    @field_validator("websocket_origins", "audit_witnesses", mode="before")
    @classmethod
    def _between_blanks(cls, told: Any) -> Any:
        return told.split() if isinstance(told, str) else told

    @field_validator("websocket_origins")
    @classmethod
    def _are_origins(cls, told: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [origin for origin in told if not _ORIGIN.fullmatch(origin)]:
            raise ValueError(f"no origin, such as https://desk.example: {' '.join(wrong)}")
        return told

    @model_validator(mode="after")
    def _vault_is_whole(self) -> Settings:
        if self.vault_url is None:
            if self.root_keys == "vault":
                raise ValueError("REGISTRAR_ROOT_KEYS=vault needs REGISTRAR_VAULT_URL")
            return self
        if not _SAFE_VAULT.match(self.vault_url):
            raise ValueError("REGISTRAR_VAULT_URL must begin with https://, or be of this machine")
        if (self.vault_token is None) is (self.vault_token_file is None):
            raise ValueError("set REGISTRAR_VAULT_TOKEN or REGISTRAR_VAULT_TOKEN_FILE, and not both")
        return self

    @model_validator(mode="after")
    def _one_key_source(self) -> Settings:
        if self.oidc_jwks_url and self.oidc_jwks_file:
            raise ValueError("set REGISTRAR_OIDC_JWKS_URL or REGISTRAR_OIDC_JWKS_FILE, not both")
        if not (
            self.oidc_jwks_url or self.oidc_jwks_file or self.oidc_issuer.startswith(("https://", "http://"))
        ):
            raise ValueError(
                "an issuer that is no URL needs REGISTRAR_OIDC_JWKS_URL or REGISTRAR_OIDC_JWKS_FILE"
            )
        return self

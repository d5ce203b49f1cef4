// A real OpenID provider for the sign-in tests: node server.mjs PORT KEYS.json
//
// People sign in at /interaction/… by name alone. /test/… is for the tests: other keys, another time,
// an outage, what was asked for. Nothing here is for a school.

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import Provider, { errors } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const SCOPE = 'student:read student:read:personal scan:read';

// By resource indicator: who the token is for, how it is signed, and how long it lives.
const RESOURCES = {
  'urn:school:registrar': {},
  'urn:school:registrar:rs256': { alg: 'RS256' },
  'urn:school:registrar:ed25519': { alg: 'Ed25519' },
  'urn:school:registrar:brief': { seconds: 1 },
  'urn:school:registrar:opaque': { format: 'opaque' },
  'urn:school:registrar:encrypted': { encrypt: { alg: 'dir', enc: 'A128CBC-HS256', key: randomBytes(32) } },
  'urn:school:library': { audience: 'library' },
};

const web = {
  token_endpoint_auth_method: 'none',
  redirect_uris: ['https://web.example/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code'],
  id_token_signed_response_alg: 'ES256',
};
const service = {
  client_secret: 'a secret of the tests',
  redirect_uris: [],
  response_types: [],
  grant_types: ['client_credentials'],
  id_token_signed_response_alg: 'ES256',
};

function configuration(jwks) {
  return {
    jwks,
    clients: [
      { ...web, client_id: 'web' },
      // As a school might set it up: its client has the name of the audience.
      { ...web, client_id: 'registrar' },
      { ...service, client_id: 'service' },
      // A client with the name of a person.
      { ...service, client_id: 'director' },
    ],
    clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post'],
    enabledJWA: {
      idTokenSigningAlgValues: ['ES256', 'RS256', 'Ed25519'],
      requestObjectEncryptionAlgValues: ['RSA-OAEP-256'],
    },
    scopes: ['openid'],
    cookies: { keys: [randomBytes(16).toString('hex')] },
    pkce: { required: () => true },
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client.clientId,
        accountId: oidc.session.accountId,
      });
      grant.addOIDCScope('openid');
      for (const resource of Object.keys(RESOURCES)) grant.addResourceScope(resource, SCOPE);
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      // So that it publishes a key for encryption, too.
      requestObjects: { enabled: true },
      encryption: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo(_, indicator) {
          const told = RESOURCES[indicator];
          if (!told) throw new errors.InvalidTarget();
          return {
            scope: SCOPE,
            audience: told.audience ?? 'registrar',
            accessTokenTTL: told.seconds ?? 6 * 3600,
            accessTokenFormat: told.format ?? 'jwt',
            jwt: { sign: { alg: told.alg ?? 'ES256' }, encrypt: told.encrypt },
          };
        },
      },
    },
  };
}

let provider;
let handle;
let jwksBroken = false;
const asked = {};
const now = Date.now;

function useKeys(jwks) {
  provider = new Provider(issuer, configuration(jwks));
  handle = provider.callback();
}

const forTests = {
  '/test/keys': useKeys,
  '/test/clock': (seconds) => { Date.now = () => now() + seconds * 1000; },
  '/test/outage': (broken) => { jwksBroken = broken; },
  '/test/asked': () => asked,
};

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  asked[pathname] = (asked[pathname] ?? 0) + 1;
  try {
    if (forTests[pathname]) {
      const told = forTests[pathname](JSON.parse(await text(request) || 'null'));
      response.end(JSON.stringify(told ?? null));
    } else if (pathname === '/jwks' && jwksBroken) {
      response.writeHead(503).end();
    } else if (pathname.startsWith('/interaction/')) {
      const { prompt } = await provider.interactionDetails(request, response);
      if (prompt.name !== 'login') throw new Error(`prompted for ${prompt.name}`);
      const accountId = new URLSearchParams(await text(request)).get('account');
      await provider.interactionFinished(request, response, { login: { accountId } });
    } else {
      await handle(request, response);
    }
  } catch (error) {
    console.error(error);
    response.writeHead(500).end(String(error));
  }
});

useKeys(JSON.parse(readFileSync(process.argv[3], 'utf8')));
server.listen(port, '127.0.0.1');

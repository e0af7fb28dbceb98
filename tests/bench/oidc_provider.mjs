// npm oidc-provider on its memory adapter, on the unix socket that is named, for one client
// and one account, which has consented.
import Provider from "oidc-provider";

const { SOCKET, ISSUER, CLIENT_ID, CLIENT_SECRET, REDIRECT_URI } = process.env;

const provider = new Provider(ISSUER, {
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: [REDIRECT_URI],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    },
  ],
  claims: { openid: ["sub"], profile: ["preferred_username", "name"] },
  conformIdTokenClaims: false,
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
  },
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: () => true,
  rotateRefreshToken: () => true,
  findAccount: (_, accountId) => ({
    accountId,
    claims: () => ({ sub: accountId, preferred_username: "bench", name: "bench" }),
  }),
});

// The one sign-in of a run, without pages: the account, then the grant.
provider.use(async (context, next) => {
  if (!context.path.startsWith("/interaction/")) return next();
  const { req, res } = context;
  const { params, grantId } = await provider.interactionDetails(req, res);
  const grant = new provider.Grant({ accountId: "did:plc:bench", clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = {
    login: { accountId: "did:plc:bench" },
    consent: { grantId: grantId ?? (await grant.save()) },
  };
  context.respond = false;
  return provider.interactionFinished(req, res, result);
});

provider.listen(SOCKET, () => console.log("is ready"));

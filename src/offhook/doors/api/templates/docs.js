"use strict";
SwaggerUIBundle({
  url: "/api/v1/openapi.json",
  dom_id: "#docs",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  tryItOutEnabled: true,
  persistAuthorization: false, // a token is forgotten with the page
  validatorUrl: null, // would send the description elsewhere
});

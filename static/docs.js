// Swagger UI on our own document. After a login through the page, the page sends its token; after a logout it does not.
const place = document.getElementById("docs");
const ui = SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  validatorUrl: null,
  persistAuthorization: true,
  tryItOutEnabled: true,
  responseInterceptor(response) {
    if (response.ok && response.url.endsWith("/auth/login")) {
      ui.preauthorizeApiKey("bearer", JSON.parse(response.text).token);
    } else if (response.ok && response.url.endsWith("/auth/logout")) {
      ui.authActions.logoutWithPersistOption(["bearer"]);
    }
    return response;
  },
});

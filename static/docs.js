// Swagger UI on our own document. A log-in that is tried on the page logs the page in, a log-out logs it out.
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

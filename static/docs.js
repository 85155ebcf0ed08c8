// Swagger UI on our own document. After a login through the page, the page sends its token; after a logout it does not.
// The token is kept for this tab alone. Swagger UI would keep it in localStorage, where it outlives the tab.
localStorage.removeItem("authorized"); // of an earlier version of this page
const dark = matchMedia("(prefers-color-scheme: dark)");
const showColors = () => document.documentElement.classList.toggle("dark-mode", dark.matches); // Swagger UI has a style for it
dark.addEventListener("change", showColors);
showColors();
const place = document.getElementById("docs");
const ui = SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  validatorUrl: null,
  tryItOutEnabled: true,
  docExpansion: "none", // over a hundred operations: the resources first
  filter: true,
  onComplete() {
    const kept = sessionStorage.getItem("authorized");
    if (kept) ui.authActions.restoreAuthorization({ authorized: JSON.parse(kept) });
    ui.getStore().subscribe(() => sessionStorage.setItem("authorized", JSON.stringify(ui.authSelectors.authorized())));
  },
  responseInterceptor(response) {
    if (response.ok && response.url.endsWith("/auth/login")) {
      ui.preauthorizeApiKey("bearer", JSON.parse(response.text).token);
    } else if (response.ok && response.url.endsWith("/auth/logout")) {
      ui.authActions.logout(["bearer"]);
    }
    return response;
  },
});

// The links of the frame of each page leave what stands after the # in the address: a token, a part, a form.
import { byId } from "./api.js";

byId("language").addEventListener("click", (event) => { event.currentTarget.hash = location.hash; });
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  byId("main").focus();
});

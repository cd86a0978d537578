// Inside the form: tells the shop's page around it how the payment ended. The shop's address is not known here, and
// the outcome is no secret; what proves a payment is the API.
"use strict";
{
  const outcome = document.currentScript.dataset.outcome;
  if (outcome && window.parent !== window) {
    window.parent.postMessage({ source: "yookassa-sandbox", outcome }, "*");
  }
}

// Makes the frame of a mail as high as the mail, so that none of it is cut off or scrolled inside the page.
// Nothing runs inside of the frame: its height is read from here.

const frame = document.querySelector(".email-preview");

function fit() {
  const inner = frame.contentDocument?.documentElement;
  if (inner) {
    // From small to large: a page is never lower than its window.
    frame.style.height = "0";
    frame.style.height = `${inner.scrollHeight + 2}px`;
  }
}

if (frame) {
  frame.addEventListener("load", fit);
  window.addEventListener("resize", fit);
  if (frame.contentDocument?.readyState === "complete") {
    fit();
  }
}

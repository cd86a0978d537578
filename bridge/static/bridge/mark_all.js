// The box in the head of the table marks every row of the page.
"use strict";
const head = document.getElementById("mark-all");
if (head) {
    const boxes = Array.from(document.querySelectorAll("input[name=msg_id]"));
    head.addEventListener("change", () => boxes.forEach((box) => { box.checked = head.checked; }));
    boxes.forEach((box) => box.addEventListener("change", () => { head.checked = boxes.every((one) => one.checked); }));
}

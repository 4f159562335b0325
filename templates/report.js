"use strict";
(() => {
  // Where nothing may be put on the clipboard, the text is selected and the browser's own command takes it.
  async function copy(text, from) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      getSelection().selectAllChildren(from);
      return document.execCommand("copy");
    }
  }
  const copied = document.getElementById("copied");
  for (const button of document.querySelectorAll(".copy")) {
    const words = button.firstChild;
    button.hidden = false;
    button.addEventListener("click", async () => {
      const from = button.parentNode.querySelector("pre");
      const done = await copy(from.textContent, from);
      words.data = done ? "Copied" : "Selected";
      copied.textContent = words.data;
      setTimeout(() => { words.data = "Copy"; copied.textContent = ""; }, 2000);
    });
  }
})();
(() => {
  const form = document.getElementById("filter");
  const shown = document.getElementById("shown");
  const rows = Array.from(document.querySelectorAll("tr[data-verdict]"), (row) => ({
    row,
    verdict: row.dataset.verdict,
    need: row.dataset.need,
    text: (row.dataset.dependency + " " + row.textContent).toLowerCase(),
    visible: true,
  }));
  const groups = Array.from(document.querySelectorAll(".endpoints tbody"), (group) => ({
    group,
    members: rows.filter(({ row }) => row.parentNode === group),
  }));
  let scheduled = false;

  function apply() {
    scheduled = false;
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const verdicts = new Set(Array.from(form.querySelectorAll("input:checked"), (box) => box.value));
    const need = form.elements.need.value;
    let count = 0;
    for (const entry of rows) {
      const visible = verdicts.has(entry.verdict)
        && (!need || need === entry.need)
        && words.every((word) => entry.text.includes(word));
      count += visible;
      if (visible !== entry.visible) {
        entry.row.hidden = !visible;
        entry.visible = visible;
      }
    }
    for (const { group, members } of groups) {
      group.hidden = !members.some((entry) => entry.visible);
    }
    shown.textContent = count + " of " + rows.length + " shown";
  }

  form.addEventListener("input", () => {
    if (!scheduled) {
      scheduled = true;
      requestAnimationFrame(apply);
    }
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  // A link from a finding must not lead to a row that the filter hides.
  addEventListener("hashchange", () => {
    const row = document.getElementById(location.hash.slice(1));
    if (row && row.hidden) {
      form.reset();
      apply();
      row.scrollIntoView();
    }
  });
  form.hidden = false;
  apply();
})();

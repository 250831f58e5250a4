// Many at once: claimed items as a list, some of them chosen, one decision with one reason, one way back.

import { decide, dismiss } from "../decide.js";
import { announce, h, replace } from "../dom.js";
import { ago, score, t, word } from "../i18n.js";
import { useKeys } from "../keys.js";
import { AHEAD, hand, scopeTo, take, watch } from "../leases.js";
import { on } from "../store.js";
import { isHard, parents, sentence, textOf, told } from "../ui/card.js";
import { filterForm, filterOf, reasonPicker } from "../ui/choose.js";
import { button, problemBox } from "../ui/form.js";
import { notice, takeBack } from "../ui/shell.js";

const MANY = 25;

export async function deciding(root, at) {
  const chosen = new Set();
  const list = h("ol", { class: "list", "aria-label": t("nav.list") });
  const bar = h("div", { class: "bulk" });
  let picker = null;
  replace(root, h("div", { class: "view" }, h("div", { class: "head" }, h("h1", {}, t("nav.list")), filterForm("list", at)),
    h("p", { class: "soft" }, t("list.what", { n: MANY })), list, bar));

  const items = () => hand.items.filter((item) => chosen.has(item.item_id));
  function draw() {
    const known = new Set(hand.items.map((item) => item.item_id));
    for (const id of chosen) if (!known.has(id)) chosen.delete(id);
    if (hand.failed) return void replace(list, problemBox(hand.failed));
    if (!hand.items.length) return void (replace(list, h("li", { class: "empty" }, t(hand.isEmpty ? (Object.keys(at.query).length ? "none.filtered" : "none") : "loading"))), drawBar());
    for (const row of [...list.children]) if (!known.has(row.dataset.item)) row.remove();
    for (const item of hand.items) if (!list.querySelector(`[data-item="${item.item_id}"]`)) list.append(rowOf(item));
    drawBar();
  }

  function rowOf(item) {
    const box = h("input", { type: "checkbox", "aria-label": t("list.choose", { name: item.comment.author?.name || t("nameless") }), onchange: () => {
      chosen[box.checked ? "add" : "delete"](item.item_id);
      row.classList.toggle("chosen", box.checked);
      drawBar();
    } });
    const strongest = item.scores?.[0];
    const row = h("li", { class: "item", data: { item: item.item_id } }, box, h("div", { onclick: (event) => { if (!event.target.closest("a, button, mark, summary")) box.click(); } },
      h("p", { class: "byline" }, h("b", {}, item.comment.author?.name || t("nameless")), h("span", { class: "tag kind" }, item.blind ? t("kind.blind") : word("kind", item.kind)),
        h("time", { datetime: item.comment.created_at }, ago(item.comment.created_at)), h("span", { class: "soft" }, item.thread.title || item.thread.page)),
      told(item), parents(item.parents), textOf(item.comment.body, { spans: item.spans, isHard: isHard(item) }),
      !item.blind && h("p", { class: "soft tiny" }, item.causes.length ? item.causes.map(sentence).join("; ") : strongest && `${word("attribute", strongest.attribute)} ${score(strongest.value)}`)));
    return row;
  }

  function drawBar() {
    if (picker) return;
    const n = chosen.size;
    replace(bar, h("div", { class: "row" },
      button(t(n === hand.items.length && n ? "list.no" : "list.all"), chooseAll, ""), h("span", { class: "grow soft", role: "status" }, t("list.chosen", { n })),
      button(t("list.approve", { n }), () => run({ action: "approve", reasons: [] }), "approve"), button(t("list.reject", { n }), openPicker, "reject")));
    bar.querySelectorAll(".approve, .reject").forEach((one) => { one.disabled = !n; });
  }

  function chooseAll() {
    const is = chosen.size !== hand.items.length;
    list.querySelectorAll("input").forEach((box) => { if (box.checked !== is) box.click(); });
  }

  function openPicker() {
    if (!chosen.size) return announce(t("list.nothing"));
    picker = reasonPicker({ verb: t("list.reject", { n: chosen.size }), draft: "bulk", sanction: false,
      onSend: (wanted) => { picker.leave(); picker = null; run({ action: "reject", ...wanted }); }, onCancel: () => { picker = null; drawBar(); } });
    replace(bar, picker.form);
    picker.focus();
    return null;
  }

  function run(wanted) {
    const wished = items();
    if (!wished.length) return announce(t("list.nothing"));
    chosen.clear();
    decide(wished, wanted, "bulk");
    return null;
  }

  const offs = [
    on("hand", draw), on("decided", tellFailed), on("decision-failed", ({ act, problem }) => { dismiss(act); notice(problem.message, "problem"); }),
    on("decided-elsewhere", ({ item_id: id }) => take(hand.items.some((item) => item.item_id === id) ? [id] : [])),
    useKeys({ a: () => { if (chosen.size) run({ action: "approve", reasons: [] }); }, r: () => { openPicker(); }, u: () => { takeBack(); }, x: () => { chooseAll(); } }),
  ];
  watch(true);
  draw();
  await scopeTo({ filter: filterOf(at.query) }, MANY);
  draw();
  return () => {
    offs.forEach((off) => off());
    picker?.leave();
    hand.wanted = AHEAD;
    watch(false);
  };
}

function tellFailed(act) {
  if (act.failed?.length) notice(t("list.failed", { n: act.failed.length }), "warn", h("ul", {}, [...new Set(act.failed.map((one) => one.detail))].map((text) => h("li", {}, text))));
}

// What others wrote meanwhile: counted until the reader asks for it, so that nothing moves under the eyes.

import { button } from "./base.js";

const MOST = 20;

/** Give the thread its news, and answer what to do with each kind of event. */
export function withNews(app) {
  const { t, nodes, call } = app;
  const news = app.news = new Set(); // ids that were published and are not shown yet
  const due = new Set(); // ids that changed and are to be read again
  const pill = app.pill = button("", show, { className: "news", part: "news", hidden: true });
  let newest;
  let version;

  function count() {
    pill.hidden = !news.size;
    pill.textContent = t("new", { n: news.size });
  }

  async function show() {
    const ids = [...news].sort();
    news.clear();
    count();
    if (ids.length > MOST) return app.load();
    const found = await Promise.all(ids.map((id) => app.fetchOne(id).catch(() => null)));
    found.filter(Boolean).forEach(app.focus);
  }

  /** Change what is above without moving what one reads; where the browser does so by itself, let it. */
  function steadily(act) {
    const seen = !CSS.supports("overflow-anchor", "auto") && [...app.list.querySelectorAll(".c")].find((el) => el.getBoundingClientRect().bottom > 0);
    const before = seen && seen.getBoundingClientRect().top;
    act();
    if (seen) scrollBy(0, seen.getBoundingClientRect().top - before);
  }

  /** Read one comment again. */
  app.ask = async (id) => {
    const node = nodes.get(id);
    const own = node && app.isMine(node.c);
    const { comment } = await call("GET", `/comments/${id}`, { as: own }).catch(({ status }) => ({ comment: status !== 404 && node?.c }));
    steadily(() => {
      if (!comment || (comment.body === null && !node?.replies.firstChild)) app.takeAway(id);
      else if (own) app.settle(comment);
      else app.place({ ...comment, replies: [] });
    });
  };

  /** Read a comment again in a moment, each reader of the page in another one. */
  function soon(id) {
    if (!due.size) setTimeout(() => {
      due.forEach((one) => nodes.has(one) && app.ask(one));
      due.clear();
    }, Math.random() * 3000);
    due.add(id);
  }

  const every = (comments, act) => comments.forEach((c) => {
    act(c);
    every(c.replies, act);
  });

  /** From now on what is newer than this page of the newest is news. */
  app.since = ({ comments, thread }) => {
    version = thread.version;
    if (app.sort === "newest") newest = comments.reduce((id, c) => (c.id > id ? c.id : id), "0");
    count();
  };

  app.refresh = async () => {
    // As much as is on the page, in its order too, so that what was removed deep below is missed.
    const much = app.list.children.length > 20 ? 100 : 20;
    const [found, shown] = await Promise.all([app.read(null, "newest", much), app.sort !== "newest" && app.read(null, app.sort, much)]).catch(() => []);
    if (!found) return;
    const before = newest;
    const seen = new Set();
    const again = (c) => {
      seen.add(c.id);
      if (nodes.has(c.id)) steadily(() => app.place({ ...c, replies: [] }));
    };
    if (shown) every(shown.comments, again);
    every(found.comments, (c) => {
      again(c);
      if (!nodes.has(c.id) && before && c.id > before) news.add(c.id);
      if (!(c.id < newest)) newest = c.id;
    });
    // What should be among them and is not may be gone.
    nodes.forEach(({ c, parent }, id) => {
      if (!seen.has(id) && c.status === "published" && (parent ? parent.c.reply_count < parent.replies.children.length
        : shown ? app.list.children.length <= much : !found.next || id > found.comments.at(-1).id)) app.ask(id);
    });
    app.setThread(found.thread);
    count();
  };

  return {
    comment({ id, status }) {
      const node = nodes.get(id);
      if (node && app.isMine(node.c)) app.ask(id);
      else if (node && status === "published") soon(id);
      else if (node) steadily(() => app.takeAway(id));
      else news[status === "published" ? "add" : "delete"](id);
      count();
    },
    thread(found) {
      app.setThread(found);
      // What happened between the reading and the listening was not told.
      if (found.version > version) app.refresh();
      version = NaN;
    },
    reset: app.refresh,
  };
}

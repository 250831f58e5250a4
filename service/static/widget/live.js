// The thread as it changes: one stream while the page is seen, and asking again where there is none.

/** `heard` takes what happens; `refresh` reads what may have been missed. Answers how to stop; `ending` has its signal. */
export function listen(thread, heard, refresh, ending) {
  let source;
  let timer;
  let tries = 0;

  function close() {
    clearTimeout(timer);
    source?.close();
  }

  function open() {
    close();
    if (document.hidden) return;
    if (source) refresh();
    source = new EventSource(`${thread}/live`);
    source.onopen = () => { tries = 0; };
    source.onerror = () => {
      // Once the browser connects again by itself, and says what it heard last.
      if (source.readyState !== 2 && !tries++) return;
      close();
      tries = Math.min(tries + 1, 5);
      timer = setTimeout(open, 2 ** tries * 1000 * (0.5 + Math.random()));
    };
    for (const kind in heard) source.addEventListener(kind, ({ data }) => heard[kind](JSON.parse(data)));
  }

  document.addEventListener("visibilitychange", open, ending);
  open();
  return close;
}

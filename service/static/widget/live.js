// The thread as it changes: one stream while the page is seen, and asking again where there is none.

const MOST_TRIES = 4;

/** `heard` takes what happens; `refresh` reads what may have been missed. Answers how to stop. */
export function listen(thread, heard, refresh) {
  let source;
  let timer;
  let tries = 0;

  function open() {
    if (document.hidden) return;
    source = new EventSource(`${thread}/live`);
    source.onopen = () => { tries = 0; };
    source.onerror = () => {
      // The browser connects again by itself, once, and says what it heard last.
      if (source.readyState !== 2 && !tries) tries = 1;
      else again();
    };
    for (const kind in heard) source.addEventListener(kind, (event) => heard[kind](JSON.parse(event.data)));
  }

  function close() {
    clearTimeout(timer);
    source?.close();
  }

  function again() {
    close();
    tries = Math.min(tries + 1, MOST_TRIES);
    timer = setTimeout(anew, 2 ** tries * 1000 * (0.5 + Math.random()));
  }

  function anew() {
    close();
    if (document.hidden) return;
    refresh();
    open();
  }

  document.addEventListener("visibilitychange", anew);
  open();
  return () => {
    document.removeEventListener("visibilitychange", anew);
    close();
  };
}

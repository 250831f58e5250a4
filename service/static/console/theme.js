// Before the first paint, so that nobody who chose the dark is dazzled by the light.
try {
  const theme = JSON.parse(localStorage.getItem("colloquy.console.theme"));
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
} catch { /* A browser that forbids storage shows what the system prefers. */ }

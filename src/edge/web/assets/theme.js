// The colours somebody has chosen, before the first paint. Without a choice the system's hold.
try {
  const kept = localStorage.getItem('tryout:theme');
  if (kept === 'light' || kept === 'dark') document.documentElement.dataset.theme = kept;
} catch { /* a private window keeps nothing */ }

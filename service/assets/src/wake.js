// Keeps the screen on while a code is shown. The lock is lost whenever the page is hidden, so it is asked for again.
export function stayAwake() {
  const ask = () => {
    if (document.visibilityState === 'visible') navigator.wakeLock?.request('screen').catch(() => {});
  };
  document.addEventListener('visibilitychange', ask);
  ask();
}

// The office's lists: picking rows, acting on many, and keys for those whose hands stay on the keyboard.
const bar = document.querySelector('[data-bulk]');
const list = bar?.closest('form');
const all = (selector) => [...document.querySelectorAll(selector)];
const rows = () => all('[data-row]');
const pick = (row) => row.querySelector('[data-pick]');

function total(picked) {
  const sum = picked.reduce((before, row) => before + Number(row.dataset.amount || 0), 0);
  const scale = { minute: 60, point: 100, fen: 100 }[bar.dataset.unit] ?? 1;
  return (sum / scale).toLocaleString('en', { maximumFractionDigits: 2, minimumFractionDigits: bar.dataset.unit === 'fen' ? 2 : 0 });
}

function show(scope = 'picked') {
  const here = rows();
  const picked = here.filter((row) => pick(row)?.checked);
  here.forEach((row) => row.setAttribute('aria-selected', String(picked.includes(row))));
  const whole = list.querySelector('[data-select-page]');
  if (whole) {
    whole.checked = picked.length > 0 && picked.length === here.length;
    whole.indeterminate = picked.length > 0 && !whole.checked;
  }
  const matching = Number(bar.dataset.matching);
  const everything = scope === 'matching';
  bar.querySelector('[data-scope]').value = scope;
  const count = bar.querySelector('[data-bulk-count]');
  count.dataset.idle ??= count.textContent;
  const text = bar.dataset.unit && !everything ? bar.dataset.textSum : bar.dataset.text;
  count.textContent = picked.length
    ? text.replace('{count}', everything ? matching : picked.length).replace('{sum}', total(picked)).replace('{unit}', bar.dataset.unitName)
    : count.dataset.idle;
  bar.querySelectorAll('button:not([type=button])').forEach((button) => { button.disabled = picked.length === 0; });
  bar.querySelector('[data-select-none]').hidden = picked.length === 0;
  bar.querySelector('[data-select-matching]').hidden = everything || !whole?.checked || matching <= here.length;
}

function choose(on) {
  rows().forEach((row) => { if (pick(row)) pick(row).checked = on; });
  show();
}

if (bar) {
  list.addEventListener('change', (event) => {
    if (event.target.matches('[data-select-page]')) choose(event.target.checked);
    else if (event.target.matches('[data-pick]')) show();
  });
  bar.querySelector('[data-select-none]').addEventListener('click', () => choose(false));
  bar.querySelector('[data-select-matching]').addEventListener('click', () => show('matching'));
  show();
}

let at = null;
function move(step) {
  const here = rows();
  if (!here.length) return;
  const next = here.indexOf(at) + step;
  at?.classList.remove('at');
  at = here[Math.min(Math.max(next, 0), here.length - 1)];
  at.classList.add('at');
  (pick(at) ?? at.querySelector('a, button'))?.focus();
}

function press(key) {
  const picked = rows().some((row) => pick(row)?.checked);
  (picked ? bar : at)?.querySelector(`[data-key="${key}"]`)?.click();
}

const panel = document.querySelector('[data-keys]');
const acts = {
  j: () => move(1),
  k: () => move(-1),
  x: () => at && pick(at)?.click(),
  a: () => press('a'),
  r: () => press('r'),
  u: () => all('[data-toast] [data-key="u"]').pop()?.click(),
  '/': () => document.querySelector('input[type=search]')?.focus(),
  '?': () => {
    if (!panel) return;
    panel.open = !panel.open;
    panel.querySelector('summary').focus();
  },
  escape: () => bar && choose(false),
  enter: (event) => event.target.matches('[data-pick]') && at?.dataset.url && location.assign(at.dataset.url),
};

const SWITCH = 'linli-keys';
const lever = panel?.querySelector('[data-keys-switch]');
if (lever) {
  lever.checked = localStorage.getItem(SWITCH) !== 'off';
  lever.addEventListener('change', () => localStorage.setItem(SWITCH, lever.checked ? 'on' : 'off'));
}
document.addEventListener('focusin', (event) => {
  const row = event.target.closest?.('[data-row]');
  if (!row || row === at) return;
  at?.classList.remove('at');
  at = row;
  at.classList.add('at');
});
document.addEventListener('keydown', (event) => {
  const act = acts[event.key.toLowerCase()];
  const typing = event.target.closest('input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]');
  if (!act || typing || event.ctrlKey || event.metaKey || event.altKey || lever?.checked === false) return;
  // Enter on a link or button stays what it is.
  if (event.key === 'Enter' && !event.target.matches('[data-pick]')) return;
  event.preventDefault();
  act(event);
});

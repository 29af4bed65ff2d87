// One tap makes the code as large as the phone, another makes it small again.
document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-enlarge]');
  const large = document.querySelector('.full');
  if (large) {
    large.classList.remove('full');
    document.querySelector('[data-enlarge]')?.focus();
  } else if (button) {
    document.querySelector('[data-full]')?.classList.add('full');
  }
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') document.querySelector('.full')?.classList.remove('full');
});
document.querySelectorAll('[data-enlarge]').forEach((button) => { button.hidden = false; });

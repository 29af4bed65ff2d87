// The anti-forgery token: the cookie has it, also on a page that was opened without the network; else the page's hidden form.
export const headers = () => {
  const kept = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1];
  const token = kept ?? document.querySelector('#token input')?.value;
  return token ? { 'X-CSRFToken': token } : {};
};

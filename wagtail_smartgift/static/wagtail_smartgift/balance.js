/* The balance page, when the code on a printed card was scanned: the number comes behind
   the address, `#voucher=…`, which no server is sent. It goes into the field, and out of
   the address before any script further down can read it there. So this is no module:
   those wait until the page is read. Nothing is looked up before somebody asks for it. */
{
  let number;
  const take = () => {
    const given = new URLSearchParams(location.hash.slice(1)).get("voucher");
    if (!given) return;
    number = given;
    history.replaceState(null, "", location.pathname + location.search);
  };
  const fill = () => {
    const input = number && document.querySelector(".smartgift-balance [name=voucher_no]");
    if (!input) return;
    input.value = number;
    number = "";
    input.form.querySelector("[type=submit]").focus();
  };
  take();
  document.addEventListener("DOMContentLoaded", fill);
  // The next card, scanned while the page is open.
  addEventListener("hashchange", () => {
    take();
    fill();
  });
}

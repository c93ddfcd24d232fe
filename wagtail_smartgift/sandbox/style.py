"""The style sheet of the sandbox's page."""

STYLE = """
:root { color-scheme: light; --ink: #22302b; --soft: #5c6b64; --line: #d9ded9;
  --paper: #fff; --ground: #f3f5f1; --accent: #23594a; --warn: #8a4b08; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 0 0 .5rem; font-size: 1.05rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); }
code { font: .92em ui-monospace, "SF Mono", "DejaVu Sans Mono", monospace; }
small { color: var(--soft); }
header, section { background: var(--paper); border: 1px solid var(--line);
  border-radius: 8px; padding: 1rem; margin-bottom: 1rem; }
header { border-top: 4px solid var(--accent); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  gap: .75rem 1.5rem; margin: .75rem 0 0; }
dt { font-size: .8rem; color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.panels { display: grid; gap: 1rem; }
.panels { margin-bottom: 1rem; }
.panels section { min-width: 0; margin: 0; }
.panels h2:not(:first-child) { margin-top: 1rem; }
@media (min-width: 52rem) { .panels { grid-template-columns: 18rem 1fr; } }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: end; }
form.grid { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(min(13rem, 100%), 1fr)); }
form p { flex-basis: 100%; margin: 0; }
li form { display: inline-flex; }
ul { margin: 0 0 .75rem; padding-left: 1.1rem; }
label { display: grid; gap: .2rem; font-size: .85rem; color: var(--soft); min-width: 0; }
input, select { font: inherit; color: var(--ink); background: var(--paper);
  border: 1px solid #84918a; border-radius: 5px; padding: .4rem .5rem; width: 100%;
  min-height: 2.4rem; }
button { font: inherit; font-weight: 600; color: #fff; background: var(--accent);
  border: 0; border-radius: 5px; padding: .4rem 1rem; min-height: 2.4rem;
  cursor: pointer; }
button:hover { background: #17402f; }
:focus-visible { outline: 3px solid #d98a1e; outline-offset: 2px; }
.scroll { overflow-x: auto; margin: 0 -1rem -1rem; max-height: 34rem; }
table { border-collapse: collapse; width: 100%; min-width: 44rem; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem;
  border-top: 1px solid var(--line); }
th { position: sticky; top: 0; background: #e9ede8; font-size: .8rem; }
th:first-child, td:first-child { padding-left: 1rem; }
td:first-child, td time, td code { white-space: nowrap; }
.held { color: var(--warn); }
"""

/// The one style sheet, put into every page: no asset path that a route of the gateway could collide with,
/// and the policy names its digest, so no other style runs.
enum Stylesheet {
  static let text = """
    :root {
      color-scheme: light dark;
      --ground: #f3f5f8; --card: #ffffff; --text: #17212b; --muted: #4f5d6b; --line: #d9dfe6; --field: #76848f;
      --accent: #1d5bb8; --accent-strong: #174a96; --on-accent: #ffffff; --tint: #eef4fc;
      --bad: #a5211a; --bad-ground: #fdeeec; --good: #17633a; --good-ground: #e9f6ee;
      --shadow: 0 1px 2px rgb(23 33 43 / .06), 0 12px 32px rgb(23 33 43 / .08);
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --ground: #0f141a; --card: #19212a; --text: #e9eef3; --muted: #aab7c4; --line: #2e3a46; --field: #74869a;
        --accent: #8ab8ff; --accent-strong: #a9cbff; --on-accent: #0b1c33; --tint: #1f2c3b;
        --bad: #ffb4ab; --bad-ground: #3a1d1b; --good: #97dcb1; --good-ground: #17301f; --shadow: none;
      }
    }
    *, *::before, *::after { box-sizing: border-box; }
    html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
    body {
      margin: 0; min-height: 100vh; min-height: 100dvh; padding: 1.5rem 1rem; background: var(--ground); color: var(--text);
      display: flex; flex-direction: column; align-items: center;
      font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
    }
    header, main, footer { width: 100%; max-width: 27rem; }
    header { display: flex; align-items: center; justify-content: center; gap: .6rem; margin: 4vh 0 1.25rem; color: var(--muted); font-weight: 600; overflow-wrap: anywhere; }
    header svg { width: 1.75rem; height: 1.75rem; flex: none; color: var(--accent); }
    main { background: var(--card); border: 1px solid var(--line); border-radius: 1rem; box-shadow: var(--shadow); padding: 2rem; }
    main.wide, .wide + footer { max-width: 40rem; }
    footer { margin-top: 1.25rem; text-align: center; color: var(--muted); font-size: .875rem; }
    h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; overflow-wrap: anywhere; }
    h2 { margin: 1.75rem 0 .75rem; font-size: 1.0625rem; line-height: 1.35; overflow-wrap: anywhere; }
    p { margin: 0 0 1rem; overflow-wrap: anywhere; }
    .lead, .muted { color: var(--muted); }
    .small { font-size: .875rem; }
    main > :last-child, form > :last-child { margin-bottom: 0; }
    a { color: var(--accent); text-underline-offset: .15em; }
    label { display: block; margin: 1.125rem 0 .375rem; font-weight: 600; }
    input[type=text], input[type=password] {
      width: 100%; min-height: 3rem; padding: .625rem .875rem; font: inherit; color: inherit; background: var(--card);
      border: 1px solid var(--field); border-radius: .625rem;
    }
    input[aria-invalid=true] { border-color: var(--bad); box-shadow: inset 0 0 0 1px var(--bad); }
    button {
      width: 100%; min-height: 3rem; padding: .625rem 1.25rem; font: inherit; font-weight: 600; border-radius: .625rem; cursor: pointer;
      color: var(--accent); background: transparent; border: 1px solid var(--accent); overflow-wrap: anywhere;
    }
    button:hover { background: var(--tint); }
    button.primary { color: var(--on-accent); background: var(--accent); }
    button.primary:hover { background: var(--accent-strong); border-color: var(--accent-strong); }
    button.quiet { width: auto; min-height: 2.75rem; padding: .5rem .25rem; border: 0; text-decoration: underline; text-underline-offset: .15em; }
    button.danger { width: auto; min-height: 2.75rem; color: var(--bad); border-color: currentColor; }
    button.danger:hover { background: var(--bad-ground); }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    .submit { margin-top: 1.75rem; }
    .choice { display: grid; grid-template-columns: 1fr 1fr; gap: .75rem; margin: 1.5rem 0 0; }
    .notice { margin: 1rem 0; padding: .75rem 1rem; border-radius: .625rem; overflow-wrap: anywhere; }
    .bad { color: var(--bad); background: var(--bad-ground); }
    .good { color: var(--good); background: var(--good-ground); }
    ul { list-style: none; margin: 0 0 1rem; padding: 0; }
    .scopes li { position: relative; padding: .5rem 0 .5rem 1.75rem; overflow-wrap: anywhere; }
    .scopes li + li { border-top: 1px solid var(--line); }
    .scopes li::before { content: ""; position: absolute; left: .25rem; top: 1.05rem; width: .5rem; height: .5rem; border-radius: 50%; background: var(--accent); }
    code { display: block; color: var(--muted); font: .8125rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
    .facts { margin: 0; padding: .875rem 1rem; border-radius: .625rem; background: var(--tint); }
    .facts div + div { margin-top: .5rem; }
    dt { color: var(--muted); font-size: .875rem; }
    dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
    .row { display: flex; flex-wrap: wrap; align-items: center; justify-content: space-between; gap: .25rem 1rem; }
    .row p { margin: 0; }
    .apps > li { padding: 1.25rem 0; border-top: 1px solid var(--line); }
    .apps h3 { margin: 0; font-size: 1rem; overflow-wrap: anywhere; }
    .apps .scopes { margin: .5rem 0 1rem; }
    details { margin: 1rem 0; }
    summary { min-height: 2.75rem; padding: .625rem 0; cursor: pointer; color: var(--accent); font-weight: 600; }
    @media (max-width: 30rem) {
      body { padding: .75rem; }
      header { margin: 1rem 0; }
      main { padding: 1.5rem 1.25rem; }
    }
    @media (max-width: 20rem) { .choice { grid-template-columns: 1fr; } }
    @media (forced-colors: active) { main, button, .notice, .facts { border: 1px solid; } }
    """
}

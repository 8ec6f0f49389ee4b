/// PrintMyPics's own look: paper and berry, so that nobody takes it for Postern.
enum PrintShopStyle {
  static let sheet: HTML = """
    :root {
      color-scheme: light dark;
      --ground: #faf4ec; --card: #fffdfa; --text: #2b1b24; --muted: #6a5560; --line: #eadccd;
      --accent: #98235a; --accent-strong: #7b1a48; --on-accent: #ffffff; --tint: #fbeef3;
      --bad: #a5211a; --good: #17633a; --good-ground: #e9f6ee; --sky: #f6dccb; --hill: #c76b7f; --sun: #f0a756;
      --shadow: 0 1px 2px rgb(60 30 40 / .06), 0 12px 32px rgb(60 30 40 / .08);
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --ground: #1a1216; --card: #251a20; --text: #f5eaef; --muted: #c8b3bd; --line: #443039;
        --accent: #ff9fc6; --accent-strong: #ffbcd7; --on-accent: #3d0b22; --tint: #38232d;
        --bad: #ffb4ab; --good: #97dcb1; --good-ground: #17301f; --sky: #4a3040; --hill: #8f4560; --shadow: none;
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
    header { display: flex; align-items: center; justify-content: center; gap: .6rem; margin: 4vh 0 1.25rem; color: var(--accent); font-size: 1.125rem; font-weight: 700; }
    header svg { width: 1.75rem; height: 1.75rem; flex: none; }
    main { background: var(--card); border: 1px solid var(--line); border-top: .375rem solid var(--accent); border-radius: 1rem; box-shadow: var(--shadow); padding: 2rem; }
    main.wide, .wide + footer { max-width: 44rem; }
    footer { margin-top: 1.25rem; text-align: center; color: var(--muted); font-size: .875rem; }
    h1 { margin: 0 0 .5rem; font-size: 1.5rem; line-height: 1.25; letter-spacing: -.01em; overflow-wrap: anywhere; }
    h2 { margin: 2rem 0 .75rem; font-size: 1.0625rem; line-height: 1.35; }
    p { margin: 0 0 1rem; overflow-wrap: anywhere; }
    .lead, .muted { color: var(--muted); }
    main > :last-child, footer > :last-child { margin-bottom: 0; }
    a { color: var(--accent); text-underline-offset: .15em; }
    label { display: block; margin: 1.125rem 0 .375rem; font-weight: 600; }
    input[type=text] {
      width: 100%; min-height: 3rem; padding: .625rem .875rem; font: inherit; color: inherit; background: var(--card);
      border: 1px solid var(--muted); border-radius: .625rem;
    }
    button, .button {
      display: block; width: 100%; min-height: 3rem; padding: .625rem 1.25rem; font: inherit; font-weight: 600; text-align: center;
      border-radius: .625rem; cursor: pointer; color: var(--accent); background: transparent; border: 1px solid var(--accent);
      text-decoration: none;
    }
    button:hover, .button:hover { background: var(--tint); }
    .primary { color: var(--on-accent); background: var(--accent); }
    .primary:hover { background: var(--accent-strong); border-color: var(--accent-strong); }
    :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
    .choice { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(12rem, 100%), 1fr)); gap: .75rem; margin: 1rem 0 0; }
    .submit { margin: 1.75rem 0 0; }
    .photos { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(min(9rem, 100%), 1fr)); gap: 1rem; margin: 1.25rem 0 0; padding: 0; }
    .photos li { padding: .5rem .5rem .75rem; background: var(--card); border: 1px solid var(--line); border-radius: .375rem; box-shadow: var(--shadow); text-align: center; font-weight: 600; overflow-wrap: anywhere; }
    .photos svg { display: block; width: 100%; height: auto; margin-bottom: .5rem; border-radius: .125rem; background: var(--sky); }
    .sun { fill: var(--sun); }
    .far { fill: var(--hill); opacity: .55; }
    .near { fill: var(--hill); }
    .photos li:nth-child(3n + 2) svg { --sky: #dcebd6; --hill: #5c8f63; }
    .photos li:nth-child(3n) svg { --sky: #d9e6f2; --hill: #6f8fb0; --sun: #ffffff; }
    .steps { margin: 0; padding: 1rem 1.25rem 1rem 2.5rem; border-radius: .625rem; background: var(--tint); }
    .steps li + li { margin-top: .5rem; }
    .steps li::marker { color: var(--accent); font-weight: 700; }
    code { font: .875em/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
    @media (max-width: 30rem) {
      body { padding: .75rem; }
      header { margin: 1rem 0; }
      main { padding: 1.5rem 1.25rem; }
    }
    @media (forced-colors: active) { main, button, .button, .steps { border: 1px solid; } }
    """
}

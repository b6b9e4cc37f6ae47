import { asTyped } from '../../guide/as-typed.ts'
import { html } from '../../book/html.ts'

/** The empty page: view.js fills it with what the server sends. */
export function page(token: string): string {
  const sudo = process.geteuid?.() === 0 && process.env.SUDO_UID !== undefined ? 'sudo ' : ''
  const data = process.env.MINILAB_DATA ? `MINILAB_DATA=${process.env.MINILAB_DATA} ` : ''
  const typed = (command: string) => `${sudo}${data}${asTyped(command)}`
  const others =
    process.geteuid?.() === 0
      ? 'What ordinary users run is in their own view.'
      : asTyped("What root runs is in root's own view: sudo minilab view.")
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>minilab view</title>
        <link rel="icon" href="icon.svg?token=${token}" />
        <link rel="stylesheet" href="drawing.css?token=${token}" />
        <link rel="stylesheet" href="view.css?token=${token}" />
        <link rel="stylesheet" href="pictures.css?token=${token}" />
        <link rel="stylesheet" href="tape.css?token=${token}" />
        <script type="module" src="view.js?token=${token}"></script>
      </head>
      <body>
        <header>
          <h1>minilab <span>view</span></h1>
          <p id="now" role="status"></p>
          <p id="score"></p>
          <nav id="way" aria-label="Stages" hidden>
            <button id="back" type="button" aria-label="the stage before" title="the stage before (←)">
              ‹
            </button>
            <button id="on" type="button" aria-label="the stage after" title="the stage after (→)">›</button>
          </nav>
        </header>
        <main>
          <section id="containers" aria-label="Containers" tabindex="0">
            <div id="nothing">
              <h2>Nothing is running now.</h2>
              <p>Type one of these in another terminal, and watch it here:</p>
              <dl>
                <dt><code>${typed('minilab step 4')}</code></dt>
                <dd>a step, with its system calls and checks; 1 to 7</dd>
                <dt><code>${typed('minilab check 3')}</code></dt>
                <dd>what you wrote for a lab</dd>
                <dt><code>${typed('minilab run -it default /bin/sh')}</code></dt>
                <dd>a container, for as long as its program runs</dd>
                <dt><code>${typed('minilab escape')}</code></dt>
                <dd>the same attacks on the container of each chapter</dd>
              </dl>
              <p>${others}</p>
              <p class="keys">
                <span><kbd>←</kbd> <kbd>→</kbd> stages of a step</span>
                <span><kbd>F</kbd> or <kbd>1</kbd> to <kbd>6</kbd> one card, full screen</span>
                <span><kbd>Esc</kbd> all cards</span>
              </p>
            </div>
            <div id="unseen" hidden>
              <p id="unseen-begins">No container runs yet.</p>
              <p id="unseen-over">
                There is no picture of this stage. It was over before we could look, or this page was not
                open. To see each stage for 5 seconds, type <code>${asTyped('minilab step 4 --pace 5')}</code>
              </p>
            </div>
            <div id="ladder" hidden></div>
          </section>
          <section id="tape" aria-labelledby="tape-title">
            <h2 id="tape-title">The tape</h2>
            <ol id="calls" tabindex="0" aria-label="System calls and checks, the newest last"></ol>
            <button id="newest" type="button" hidden>↓ newest</button>
          </section>
        </main>
        <noscript>This page needs JavaScript: it is drawn again when containers change.</noscript>
      </body>
    </html> `.text
}

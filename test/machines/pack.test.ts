// `npm pack`: the package holds JavaScript only, and works where npm installed it globally, on the Node found there.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }

const project = join(import.meta.dirname, '../..')
const work = mkdtempSync(join(tmpdir(), 'minilab-pack-'))
const installed = join(work, 'lib/node_modules/minilab')

/** The paths of the packages that an install without development dependencies brings, without the Node packages. */
function productionPackages(): string[] {
  const lock = JSON.parse(readFileSync(join(project, 'node_modules/.package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>
  }
  return Object.entries(lock.packages)
    .filter(
      ([path, { dev }]) => !dev && path.lastIndexOf('node_modules/') === 0 && !path.includes('/node-linux-'),
    )
    .map(([path]) => path)
}

/** What `npm install --global --prefix work minilab.tgz` does, with the packages that are here in place of a registry. */
beforeAll(() => {
  const copy = join(work, 'checkout')
  for (const file of [
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'bin.mjs',
    'minilab-oci',
    'oci.mjs',
    'README.md',
    'LICENSE',
    'book',
    'lib',
    'chapters',
    'labs',
  ])
    if (existsSync(join(project, file))) cpSync(join(project, file), join(copy, file), { recursive: true })
  symlinkSync(join(project, 'node_modules'), join(copy, 'node_modules'))
  execFileSync('npm', ['pack', '--silent', '--pack-destination', work], { cwd: copy, stdio: 'pipe' })

  mkdirSync(installed, { recursive: true })
  execFileSync('tar', [
    '-xf',
    join(work, `minilab-${manifest.version}.tgz`),
    '--strip-components=1',
    '-C',
    installed,
  ])
  for (const path of productionPackages()) {
    mkdirSync(dirname(join(installed, path)), { recursive: true })
    symlinkSync(join(project, path), join(installed, path))
  }
  mkdirSync(join(work, 'bin'))
  symlinkSync(join(installed, manifest.bin.minilab), join(work, 'bin/minilab'))
  symlinkSync(process.execPath, join(work, 'bin/node')) // for bin.mjs's #!/usr/bin/env node
})
afterAll(() => rmSync(work, { recursive: true }))

const environment = { ...process.env, PATH: `${work}/bin:/usr/bin:/bin` }

/** Stdout of the installed minilab. Throws when its exit status is not 0. */
const minilab = (...args: string[]): string =>
  execFileSync('minilab', args, { cwd: '/', encoding: 'utf8', env: environment })

/** Stdout of one that ends with another status than 0. */
function failing(...words: [...string[], Record<string, string>]): string {
  const env = { ...environment, ...(words.at(-1) as Record<string, string>) }
  const { status, stdout, stderr } = spawnSync('minilab', words.slice(0, -1) as string[], {
    cwd: '/',
    encoding: 'utf8',
    env,
  })
  expect({ status, stderr }).toEqual({ status: 1, stderr: '' })
  return stdout
}

test('holds what runs, and nothing else', () => {
  const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).filter(
    file => !file.startsWith('node_modules'),
  )
  expect(files).toContain('dist/lib/cli/main.js')
  expect(
    files.filter(
      file =>
        !/^(bin\.mjs|minilab-oci|oci\.mjs|package\.json|README\.md|LICENSE|(dist|labs|lib\/book\/assets)(\/.*)?|book(\/[\w-]+\.md)?|lib(\/(book|look(\/view(\/\w+\.(css|js))?)?))?)$/.test(
          file,
        ),
    ),
  ).toEqual([])
  // TypeScript is there for learners only: the types of what they import, and the files that they begin with
  const source = files.filter(file => file.endsWith('.ts') && !file.endsWith('.d.ts'))
  expect(source.filter(file => !/^labs\/\d-\w+\/[\w-]+\.ts$/.test(file))).toEqual([])
})

test('minilab --version', () => expect(minilab('--version')).toBe(`${manifest.version}\n`))

test('minilab-oci --version', () =>
  expect(
    execFileSync(process.execPath, [join(installed, 'oci.mjs'), '--version'], { encoding: 'utf8' }),
  ).toMatch(`minilab-oci version ${manifest.version}\n`))

test('a workspace, and a lab of it', () => {
  const mine = join(work, 'mine')
  minilab('init', mine)
  const { tasks } = JSON.parse(failing('check', '3', '--json', { MINILAB_WORKSPACE: mine })) as {
    tasks: { checks: unknown[] }[]
  }
  expect(tasks.length).toBeGreaterThan(3)
  expect(tasks.flatMap(({ checks }) => checks).length).toBeGreaterThan(3) // its container was looked at
})

test('a step, with all that it loads and says', () => {
  expect(minilab('step', '1', '--dry-run', '--plain')).toMatch(/execve\(/)
  expect(minilab('step', '1', '--yes', '--plain')).toContain('Every container starts as an ordinary process.')
})

test('the book, as a site with its search', () => {
  const site = join(work, 'site')
  minilab('book', '--out', site)
  expect(readdirSync(site)).toEqual(expect.arrayContaining(['index.html', '3-root.html', 'appendix.html']))
  expect(readFileSync(join(site, 'assets/search.js'), 'utf8')).toContain('return { search }')
  expect(readFileSync(join(site, 'index.html'), 'utf8')).toContain('assets/book.css')
})

test('the live view, with all that its page loads', async () => {
  const view = spawn('minilab', ['view', '--port', '0'], { cwd: '/', env: environment })
  onTestFinished(() => void view.kill())
  let said = ''
  for await (const text of view.stdout.setEncoding('utf8')) if (/token=\S+/.test((said += text))) break
  const url = new URL(/http:\S+/.exec(said)![0])
  const page = await (await fetch(url)).text()
  const loaded = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) =>
    path!.replaceAll('&amp;', '&'),
  )
  expect(loaded.length).toBeGreaterThan(2)
  for (const path of loaded) expect((await fetch(new URL(path, url))).status, path).toBe(200)
})

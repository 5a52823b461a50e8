// Drafts: the files of a working copy while tasks are carried out on them, in memory until they are written.
//   D1. A file's text is its original text with the tasks that are in force applied in the plan's order.
//   D2. Taking a task back keeps the others of its file: they are done again without it.
//   D3. On disk is either a file's original content or one that `write` put there; `restore` brings the originals back.
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EditContext } from './edits/index.ts'
import { improveFile } from './improve-file.ts'
import type { Change, DroppedTask, RollbackPoint, Task } from './schema.ts'
import { decode } from './sources.ts'
import { parseSource } from './syntax-tree.ts'

/** A task that changed its file. */
interface Step {
  readonly task: Task
  readonly changes: readonly Change[]
  readonly point: RollbackPoint
}

interface Draft {
  readonly original: string
  readonly tasks: readonly Task[]
  readonly steps: readonly Step[]
  readonly current: string
}

/** The texts of a working copy, the tasks that made them, and those that were dropped. */
export class Drafts {
  readonly #directory: string
  readonly #context: EditContext
  readonly #drafts = new Map<string, Draft>()
  readonly #dropped = new Map<string, DroppedTask>()
  readonly #written = new Map<string, string>()

  constructor(directory: string, context: EditContext) {
    this.#directory = directory
    this.#context = context
  }

  /** Carries the tasks of one file out, in memory. */
  async improve(file: string, tasks: readonly Task[]): Promise<void> {
    const bytes = await readFile(join(this.#directory, file)).catch(() => undefined)
    const original = bytes && decode(bytes)
    if (original === undefined) return this.#drop(tasks, 'the file cannot be read as UTF-8')
    this.#drafts.set(file, this.#apply(file, original, tasks))
  }

  /** Puts the texts that differ from the disk there; a file that cannot be written loses its tasks. */
  async write(): Promise<void> {
    for (const [file, { original, current, tasks }] of this.#drafts) {
      if (current === (this.#written.get(file) ?? original)) continue
      try {
        await writeFile(join(this.#directory, file), current)
        this.#written.set(file, current)
      } catch (error) {
        await writeFile(join(this.#directory, file), original).catch(() => undefined)
        this.#drop(tasks, `the file cannot be written: ${String(error)}`)
        this.#drafts.set(file, { original, tasks: [], steps: [], current: original })
      }
    }
  }

  /** Takes tasks back, in memory. */
  takeBack(ids: ReadonlySet<string>, reason: string): void {
    for (const [file, { original, tasks }] of this.#drafts) {
      const gone = tasks.filter(({ id }) => ids.has(id))
      if (gone.length === 0) continue
      this.#drop(gone, reason)
      this.#drafts.set(
        file,
        this.#apply(
          file,
          original,
          tasks.filter(({ id }) => !ids.has(id)),
        ),
      )
    }
  }

  /** Leaves tasks out for now, in memory; `undefined` brings all back that were not taken back. */
  mute(ids: ReadonlySet<string> | undefined): void {
    for (const [file, { original, tasks }] of this.#drafts) {
      const { steps, current } = this.#apply(file, original, ids ? tasks.filter(({ id }) => !ids.has(id)) : tasks)
      this.#drafts.set(file, { original, tasks, steps, current })
    }
  }

  /** Writes every original back. */
  async restore(): Promise<void> {
    for (const [file, { original }] of this.#drafts) {
      if (this.#written.has(file)) await writeFile(join(this.#directory, file), original)
    }
    this.#written.clear()
  }

  /** The tasks in force, in the order of the files. */
  get steps(): readonly Step[] {
    return [...this.#drafts.values()].flatMap(({ steps }) => steps)
  }

  get dropped(): readonly DroppedTask[] {
    const inForce = new Set(this.steps.map(({ task }) => task.id))
    return [...this.#dropped.values()].filter(({ task }) => !inForce.has(task))
  }

  #apply(file: string, original: string, tasks: readonly Task[]): Draft {
    const outcome = parseSource(file, original)
    if (outcome.kind === 'failure') {
      this.#drop(tasks, `the file does not parse: ${outcome.failure.message}`)
      return { original, tasks: [], steps: [], current: original }
    }
    let { tree } = outcome
    let current = original
    const steps: Step[] = []
    for (const task of tasks) {
      const improvement =
        task.edit === null ? { kind: 'unchanged' as const } : improveFile(tree, task.edit, this.#context)
      if (improvement.kind === 'changed') {
        steps.push(stepFor(task, { file, before: current, after: improvement.content, places: improvement.changes }))
        current = improvement.content
        tree = improvement.tree
      } else if (!this.#dropped.has(task.id)) {
        this.#drop([task], improvement.kind === 'refused' ? improvement.reason : 'there is nothing to change any more')
      }
    }
    return { original, tasks, steps, current }
  }

  #drop(tasks: readonly Task[], reason: string): void {
    for (const { id, file } of tasks) this.#dropped.set(id, { task: id, file, reason })
  }
}

interface Made {
  readonly file: string
  readonly before: string
  readonly after: string
  readonly places: readonly { readonly name: string; readonly line: number }[]
}

function stepFor(task: Task, { file, before, after, places }: Made): Step {
  const { id, edit } = task
  return {
    task,
    changes: edit === null ? [] : places.map(({ name, line }) => ({ task: id, file, line, name, edit })),
    point: { task: id, file, sha256Before: sha256(before), sha256After: sha256(after) },
  }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

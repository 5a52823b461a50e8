// A board and its agents without a runtime: what the tests of entries, policies, rights and views share.
import type {
  Acceptance,
  AccessRules,
  Board as BoardType,
  EntryInfo,
  Filters as FiltersType,
} from '../../src/context/index.ts'
import { Access, Board, BoardView, Catalogue, Filters, prepareUpdate, Sight } from '../../src/context/index.ts'
import type { Author, CatalogueOptions, EntryDefinition, Lineage, Refusal, UpdateOptions } from 'callboard'

export type Rights = Partial<Omit<AccessRules, 'type'>>

export interface BoardWorldOptions extends CatalogueOptions {
  /** The agents, by the name of type and id alike. */
  readonly agents?: Readonly<Record<string, Rights>>
}

export class BoardWorld {
  readonly filters: FiltersType = new Filters()
  readonly catalogue: Catalogue
  readonly #agents: Readonly<Record<string, Rights>>
  /** The board each agent looked at last: what it bases its updates on. */
  readonly #looked = new Map<string, BoardType>()
  board: BoardType
  now = Date.UTC(2026, 0, 1)

  constructor(definitions: Readonly<Record<string, EntryDefinition>>, options: BoardWorldOptions = {}) {
    const { agents = {}, ...catalogueOptions } = options
    this.catalogue = new Catalogue(definitions, catalogueOptions)
    this.#agents = agents
    this.board = Board.create({ catalogue: this.catalogue, runId: 'run', at: this.now })
  }

  /** Lets time pass; nothing happens by itself. */
  pass(ms: number): void {
    this.now += ms
  }

  /** Removes what has expired. */
  expire(): void {
    this.board = this.#begun().expire(this.now)
  }

  sight(agent: string, id = agent): Sight {
    const rules = { role: undefined, reads: [], writes: [], groups: [], grants: {}, scopes: undefined }
    return new Sight(id, new Access({ ...rules, ...this.#agents[agent], type: agent }), this.filters)
  }

  view(agent: string, id = agent): BoardView {
    return new BoardView(this.board, this.sight(agent, id))
  }

  /** The agent reads the whole board: from now on its updates are based on that. */
  looks(agent: string): void {
    this.#looked.set(agent, this.board)
  }

  /** Writes as an agent, as `workflow`, or as someone outside (any other name). */
  update(
    by: string,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions & { readonly lineage?: Lineage } = {},
  ): Acceptance | Refusal {
    const { lineage = [], ...updateOptions } = options
    const isAgent = Object.hasOwn(this.#agents, by)
    const author: Author = isAgent
      ? { kind: 'agent', id: by, type: by }
      : by === 'workflow'
        ? { kind: 'workflow' }
        : { kind: 'outside', name: by }
    const sight = isAgent ? this.sight(by) : undefined
    const begun = this.#begun()
    const looked = this.#looked.get(by)
    const prepared = prepareUpdate(
      {
        catalogue: this.catalogue,
        author,
        access: sight?.access,
        id: begun.nextUpdateId,
        at: this.now,
        lineage,
        seen: (address) => {
          if (!isAgent) return 'unknown'
          const cell = looked?.cell(address)
          return cell?.live === true && sight?.admits(cell.entry) === true ? cell : 'absent'
        },
        others: () => (isAgent ? this.view(by).entries() : this.board.addresses()),
      },
      changes,
      updateOptions,
    )
    if (prepared.kind === 'refused') return prepared
    this.board = begun.apply(prepared)
    const outcome = this.board.transcript.at(-1)
    if (outcome === undefined) throw new Error('nothing was applied')
    return outcome.result
  }

  /** Writes and insists on it. */
  accept(
    by: string,
    changes: Readonly<Record<string, unknown>>,
    options: UpdateOptions & { readonly lineage?: Lineage } = {},
  ): Acceptance {
    const result = this.update(by, changes, options)
    if (result.kind === 'refused') throw new Error(`unexpected refusal: ${result.message}`)
    return result
  }

  /** Writes and insists on being refused. */
  refuse(by: string, changes: Readonly<Record<string, unknown>>, options: UpdateOptions = {}): Refusal {
    const before = this.board
    const result = this.update(by, changes, options)
    if (result.kind !== 'refused') throw new Error('expected a refusal')
    // A refusal changes nothing.
    if ([...before.cells()].some((cell) => this.board.cell(cell.entry) !== cell))
      throw new Error('a refusal changed the board')
    return result
  }

  #begun(): BoardType {
    return this.board.begin(this.now, String(this.now), this.board.globals)
  }
}

/** What filters are asked about. */
export function infoOf(fields: Partial<EntryInfo>): EntryInfo {
  return {
    key: 'k',
    scope: 'workflow',
    holder: undefined,
    owner: 'workflow',
    updatedBy: 'workflow',
    priority: 'medium',
    version: 1,
    createdAt: 0,
    updatedAt: 0,
    expiresAt: undefined,
    dependsOn: [],
    metadata: {},
    protected: false,
    ephemeral: false,
    sensitive: false,
    pinned: false,
    stale: false,
    ...fields,
  }
}

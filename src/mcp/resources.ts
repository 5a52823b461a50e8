// Resources: the places of a desk as documents, with templates to name them and completion of what the templates leave open.
import type { McpServer, ResourceTemplate } from '@modelcontextprotocol/server'
import { CallboardError } from '../base/index.ts'
import { chartOf, toMermaid } from '../graph/index.ts'
import { definitionOf } from './desk.ts'
import type { Desk } from './desk.ts'
import { placeOf, uriOf } from './place.ts'
import type { Place } from './place.ts'
import type { McpSdk } from './sdk.ts'
import { lookAt } from './tools/index.ts'
import { entryToWire, jsonOf, logLineToWire, runToWire, summaryToWire } from './wire.ts'

const JSON_TYPE = 'application/json'
const MERMAID_TYPE = 'text/vnd.mermaid'
/** Lines of the change log that the ledger's tail shows. */
const TAIL = 100
/** Runs that a list names; list_runs has them all. */
const MOST_LISTED = 100
/** What the protocol allows. */
const MOST_COMPLETIONS = 100

interface Document {
  readonly mimeType: string
  readonly text: string
}

/** Offers a server everything that its caller may read. */
export function registerResources(sdk: McpSdk, server: McpServer, desk: Desk): void {
  const read = async (uri: URL): Promise<{ contents: { uri: string; mimeType: string; text: string }[] }> => {
    const document = await readPlace(desk, uri.href).catch((error: unknown) => {
      throw new sdk.ResourceNotFoundError(uri.href, error instanceof CallboardError ? error.message : undefined)
    })
    return { contents: [{ uri: uri.href, ...document }] }
  }
  const json = { mimeType: JSON_TYPE }
  server.registerResource('runs', uriOf({ kind: 'runs' }), { title: 'Runs', ...json }, read)
  for (const { name, uri, title, mimeType, list } of templatesFor(desk)) {
    const template: ResourceTemplate = new sdk.ResourceTemplate(uri, {
      list: list === undefined ? undefined : async () => ({ resources: [...(await list())] }),
      complete: completionsFor(desk, uri),
    })
    server.registerResource(name, template, { title, mimeType }, read)
  }
}

interface Listed {
  readonly uri: string
  readonly name: string
  readonly mimeType: string
}

interface TemplateOffer {
  readonly name: string
  readonly uri: string
  readonly title: string
  readonly mimeType: string
  readonly list?: () => Promise<readonly Listed[]>
}

function templatesFor(desk: Desk): readonly TemplateOffer[] {
  const runs = async (kind: 'run' | 'entries'): Promise<readonly Listed[]> =>
    (await desk.runs()).slice(-MOST_LISTED).map(({ runId, workflow }) => ({
      uri: uriOf({ kind, runId }),
      name: kind === 'run' ? `${workflow} ${runId}` : `${workflow} ${runId} ${kind}`,
      mimeType: JSON_TYPE,
    }))
  const json = { mimeType: JSON_TYPE }
  const own: readonly TemplateOffer[] = [
    { name: 'run', uri: 'callboard://runs/{runId}', title: 'A run', list: () => runs('run'), ...json },
    {
      name: 'entries',
      uri: 'callboard://runs/{runId}/entries',
      title: desk.agent === undefined ? 'The entries of a run' : 'Your view of a run',
      list: () => runs('entries'),
      ...json,
    },
    { name: 'entry', uri: 'callboard://runs/{runId}/entries/{key}', title: 'An entry of a run', ...json },
  ]
  if (desk.agent !== undefined) return own
  const charts = async (): Promise<readonly Listed[]> =>
    desk.workflows.map(definitionOf).map(({ name }) => ({
      uri: uriOf({ kind: 'chart', workflow: name }),
      name: `${name} chart`,
      mimeType: MERMAID_TYPE,
    }))
  return [
    ...own,
    { name: 'view', uri: 'callboard://runs/{runId}/views/{agent}', title: 'What an agent sees', ...json },
    { name: 'ledger', uri: 'callboard://runs/{runId}/ledger', title: 'The last changes of a run', ...json },
    {
      name: 'chart',
      uri: 'callboard://workflows/{workflow}/chart',
      title: 'The states of a workflow',
      mimeType: MERMAID_TYPE,
      list: charts,
    },
  ]
}

type Complete = (
  value: string,
  context?: { readonly arguments?: Readonly<Record<string, string>> },
) => Promise<string[]>

/** How the variables of a template are completed. */
function completionsFor(desk: Desk, uri: string): Record<string, Complete> {
  const startingWith = (known: readonly string[], value: string): string[] =>
    known
      .map(encodeURIComponent)
      .filter((one) => one.startsWith(value))
      .slice(0, MOST_COMPLETIONS)
  const inRun =
    (list: (desk: Desk, runId: string) => Promise<readonly string[]>): Complete =>
    async (value, context) => {
      const runId = context?.arguments?.['runId']
      return runId === undefined ? [] : startingWith(await list(desk, runId).catch(() => []), value)
    }
  const all: Readonly<Record<string, Complete>> = {
    runId: async (value) =>
      startingWith(
        (await desk.runs()).toReversed().map(({ runId }) => runId),
        value,
      ),
    key: inRun(keysIn),
    agent: inRun(agentsIn),
    workflow: async (value) =>
      startingWith(
        desk.workflows.map((machine) => definitionOf(machine).name),
        value,
      ),
  }
  return Object.fromEntries(Object.entries(all).filter(([name]) => uri.includes(`{${name}}`)))
}

async function keysIn(desk: Desk, runId: string): Promise<readonly string[]> {
  return [...new Set(lookAt(desk, await desk.run(runId)).entries.map(({ key }) => key))]
}

async function agentsIn(desk: Desk, runId: string): Promise<readonly string[]> {
  const run = await desk.run(runId)
  const invoked = run.explain().agents.map(({ id }) => id)
  return [...new Set([...(desk.definition(run.workflow)?.agents.keys() ?? []), ...invoked])]
}

/**
 * That a URI names something whose changes the caller may be told of; an entry may be yet to come.
 * @throws CallboardError `mcp.unknown-resource`, `run.unknown`, `mcp.unknown-workflow`
 */
export async function assertPlace(desk: Desk, uri: string): Promise<void> {
  const place = placeFor(desk, uri)
  if ('runId' in place) await desk.run(place.runId)
  if (place.kind === 'chart') desk.workflow(place.workflow)
}

function placeFor(desk: Desk, uri: string): Place {
  const place = placeOf(uri)
  if (place !== undefined && (desk.agent === undefined || isForAgents(place))) return place
  throw unknownResource(uri)
}

/** @throws CallboardError `mcp.unknown-resource`; what looking at it throws */
async function readPlace(desk: Desk, uri: string): Promise<Document> {
  const place = placeFor(desk, uri)
  if (place.kind === 'chart') return { mimeType: MERMAID_TYPE, text: toMermaid(chartOf(desk.workflow(place.workflow))) }
  return { mimeType: JSON_TYPE, text: jsonOf(await dataAt(desk, place, uri)) }
}

const isForAgents = ({ kind }: Place): boolean =>
  kind === 'runs' || kind === 'run' || kind === 'entries' || kind === 'entry'

async function dataAt(desk: Desk, place: Exclude<Place, { kind: 'chart' }>, uri: string): Promise<unknown> {
  if (place.kind === 'runs') return { runs: (await desk.runs()).map(summaryToWire) }
  const run = await desk.run(place.runId)
  switch (place.kind) {
    case 'run':
      return runToWire(desk, run)
    case 'ledger':
      return { seq: run.seq, lines: (await run.log({ limit: TAIL })).map(logLineToWire) }
    case 'entries':
    case 'view': {
      const { seq, entries, secrets } = lookAt(desk, run, place.kind === 'view' ? { id: place.agent } : undefined)
      return { seq, entries: entries.map((entry) => entryToWire(entry, { secrets })) }
    }
    case 'entry': {
      const { entries, secrets } = lookAt(desk, run)
      const found = entries.filter(({ key }) => key === place.key)
      if (found.length === 0) throw unknownResource(uri)
      return { entries: found.map((entry) => entryToWire(entry, { secrets })) }
    }
    default:
      throw new TypeError(`unknown place ${String(place satisfies never)}`)
  }
}

function unknownResource(uri: string): CallboardError {
  return new CallboardError('mcp.unknown-resource', `there is no resource "${uri}" here`, { uri })
}

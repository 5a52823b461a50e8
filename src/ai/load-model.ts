// Which model a text names: `provider/model` for a provider of the AI SDK, or the address of a server that speaks OpenAI's
// API with the model behind a `#`.
import type { LanguageModel } from 'ai'
import { CallboardError } from '../base/index.ts'
import type { ImportPackage } from '../base/index.ts'
import { placeOf, rememberKey } from './call-error.ts'
import { loadPackage } from './sdk.ts'

export interface LoadModelOptions {
  /** The key for a server that is named by its address. Providers read theirs from the environment themselves. */
  readonly apiKey?: string | undefined
  /** Loads a package by its name; unless given, from where Callboard is installed, or from the folder of the process. */
  readonly load?: ImportPackage
}

type Provide = (modelId: string) => LanguageModel

interface Reference {
  readonly provider: string
  readonly modelId: string
}

/**
 * Loads a model by its name.
 *
 * - `openai/gpt-5` is model `gpt-5` of `@ai-sdk/openai`, `@some/provider/model` that of another package;
 * - `http://127.0.0.1:11434/v1#qwen3` is model `qwen3` of a server that speaks OpenAI's API.
 *
 * @throws CallboardError `ai.package-missing` with the line that installs the provider; `ai.model` for a name that is none
 */
export async function loadModel(name: string, { apiKey, load }: LoadModelOptions = {}): Promise<LanguageModel> {
  if (/^https?:\/\//i.test(name)) return openCompatible(name, { apiKey, load })
  const { provider, modelId } = readReference(name)
  const loaded = (await loadPackage(provider, { load })) as Readonly<Record<string, unknown>>
  const provide = providerIn(loaded, provider)
  if (provide !== undefined) return provide(modelId)
  throw invalid(name, `the package "${provider}" has no provider that is ready to be used`)
}

async function openCompatible(
  name: string,
  { apiKey, load }: { readonly apiKey: string | undefined; readonly load: ImportPackage | undefined },
): Promise<LanguageModel> {
  // Addresses are told without what may be a secret in them.
  const url = URL.canParse(name) ? new URL(name) : undefined
  const modelId = readModelId(url?.hash ?? '')
  if (url === undefined || modelId === undefined)
    throw invalid(placeOf(name), 'write the address, "#" and the name of the model')
  const { username, password, search } = url
  if (username !== '' || password !== '') throw invalid(placeOf(name), 'an address has no name and password in it')
  if (search !== '') throw invalid(placeOf(name), 'an address has nothing behind a "?"; give a key as apiKey')
  url.hash = ''
  const { createOpenAICompatible } = (await loadPackage('@ai-sdk/openai-compatible', { load })) as {
    readonly createOpenAICompatible: (settings: object) => Provide
  }
  const settings = {
    name: url.host,
    baseURL: url.href,
    includeUsage: true,
    supportsStructuredOutputs: true,
    ...(apiKey === undefined ? {} : { apiKey }),
  }
  const model = createOpenAICompatible(settings)(modelId)
  rememberKey(model, apiKey)
  return model
}

/** Undefined where there is none. */
function readModelId(hash: string): string | undefined {
  try {
    return decodeURIComponent(hash.slice(1)) || undefined
  } catch {
    return undefined
  }
}

function readReference(name: string): Reference {
  const parts = /^(@[\w.-]+\/[\w.-]+|[\w][\w.-]*)\/(.+)$/.exec(name)
  const [, provider, modelId] = parts ?? []
  if (provider === undefined || modelId === undefined)
    throw invalid(name, 'write provider/model, or the address of a server, "#" and the name of the model')
  return { provider: provider.startsWith('@') ? provider : `@ai-sdk/${provider}`, modelId }
}

/** The export that is named after the package, or else the first that can provide language models. */
function providerIn(loaded: Readonly<Record<string, unknown>>, packageName: string): Provide | undefined {
  const plain = packageName.slice(packageName.indexOf('/') + 1)
  const named = plain.replaceAll(/-(\w)/g, (_all, letter: string) => letter.toUpperCase())
  return [loaded[named], ...Object.values(loaded)].find(isProvider)
}

function isProvider(value: unknown): value is Provide {
  return typeof value === 'function' && typeof (value as { languageModel?: unknown }).languageModel === 'function'
}

function invalid(name: string, what: string): CallboardError {
  return new CallboardError('ai.model', `"${name}" names no model: ${what}`, { model: name })
}

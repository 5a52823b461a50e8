// What the published conformance suite asks a server for (images, sampling, elicitation, prompts, …), added to a door of
// ours: the suite then speaks to our sessions, our transports and our registration, with tools that do nothing else.
import { completable, fromJsonSchema, ResourceTemplate } from '@modelcontextprotocol/server'
import type { ElicitRequestFormParams, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=='
const SILENCE = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA='

const image = { type: 'image', data: PIXEL, mimeType: 'image/png' } as const
const text = (words: string): { type: 'text'; text: string } => ({ type: 'text', text: words })
const embedded = (
  uri: string,
  mimeType: string,
  words: string,
): { type: 'resource'; resource: { uri: string; mimeType: string; text: string } } => ({
  type: 'resource',
  resource: { uri, mimeType, text: words },
})

/** Adds everything to the server of a caller. */
export function registerEverything(server: McpServer): void {
  server.server.registerCapabilities({ logging: {} })
  registerContent(server)
  registerTalk(server)
  registerResources(server)
  registerPrompts(server)
}

function registerContent(server: McpServer): void {
  const answers = {
    test_simple_text: [text('This is a simple text response for testing.')],
    test_image_content: [image],
    test_audio_content: [{ type: 'audio', data: SILENCE, mimeType: 'audio/wav' } as const],
    test_embedded_resource: [
      embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.'),
    ],
    test_multiple_content_types: [
      text('Multiple content types test:'),
      image,
      embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  }
  for (const [name, content] of Object.entries(answers)) {
    server.registerTool(name, { description: name }, async () => ({ content: [...content] }))
  }
  server.registerTool('test_error_handling', { description: 'fails' }, async () => ({
    content: [text('This tool intentionally returns an error for testing')],
    isError: true,
  }))
  const schema = fromJsonSchema({
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
    },
    properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
    additionalProperties: false,
  })
  server.registerTool('json_schema_2020_12_tool', { description: 'takes $defs', inputSchema: schema }, async () => ({
    content: [text('understood')],
  }))
}

function registerTalk(server: McpServer): void {
  server.registerTool('test_tool_with_logging', { description: 'logs' }, async ({ mcpReq }) => {
    for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await mcpReq.log('info', line)
    }
    return { content: [text('logged')] }
  })
  server.registerTool('test_tool_with_progress', { description: 'reports progress' }, async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    for (const progress of [0, 50, 100]) {
      if (progressToken === undefined) break
      await mcpReq.notify({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } })
    }
    return { content: [text(String(progressToken))] }
  })
  server.registerTool(
    'test_sampling',
    { description: 'asks the model', inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, { mcpReq }) => {
      const answer = await mcpReq.requestSampling({
        messages: [{ role: 'user', content: text(prompt) }],
        maxTokens: 100,
      })
      return { content: [text(`LLM response: ${JSON.stringify(answer.content)}`)] }
    },
  )
  server.registerTool(
    'test_elicitation',
    { description: 'asks the user', inputSchema: z.object({ message: z.string() }) },
    async ({ message }, { mcpReq }) => {
      const answer = await mcpReq.elicitInput({
        message,
        requestedSchema: {
          type: 'object',
          properties: { username: { type: 'string' }, email: { type: 'string' } },
          required: ['username', 'email'],
        },
      })
      return { content: [text(`User response: ${JSON.stringify(answer)}`)] }
    },
  )
  for (const [name, properties] of Object.entries(FORMS)) {
    server.registerTool(name, { description: name }, async ({ mcpReq }) => {
      const requestedSchema = { type: 'object', properties } as ElicitRequestFormParams['requestedSchema']
      const answer = await mcpReq.elicitInput({ message: 'Please fill this in', requestedSchema })
      return { content: [text(`Elicitation completed: ${JSON.stringify(answer)}`)] }
    })
  }
  server.registerTool('test_reconnection', { description: 'cuts its own stream' }, async ({ http }) => {
    http?.closeSSE?.()
    return { content: [text('Reconnection test completed')] }
  })
}

const titled = [
  { const: 'value1', title: 'First Option' },
  { const: 'value2', title: 'Second Option' },
  { const: 'value3', title: 'Third Option' },
]
const options = ['option1', 'option2', 'option3']

const FORMS = {
  test_elicitation_sep1034_defaults: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
  test_elicitation_sep1330_enums: {
    untitledSingle: { type: 'string', enum: options },
    titledSingle: { type: 'string', oneOf: titled },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
    titledMulti: { type: 'array', items: { anyOf: titled } },
  },
}

function registerResources(server: McpServer): void {
  const plain = { mimeType: 'text/plain' }
  server.registerResource('static text', 'test://static-text', plain, async ({ href }) => ({
    contents: [{ uri: href, ...plain, text: 'This is the content of the static text resource.' }],
  }))
  server.registerResource('static binary', 'test://static-binary', { mimeType: 'image/png' }, async ({ href }) => ({
    contents: [{ uri: href, mimeType: 'image/png', blob: PIXEL }],
  }))
  server.registerResource('watched', 'test://watched-resource', plain, async ({ href }) => ({
    contents: [{ uri: href, ...plain, text: 'Watched resource content' }],
  }))
  const template = new ResourceTemplate('test://template/{id}/data', { list: undefined })
  server.registerResource('template', template, { mimeType: 'application/json' }, async ({ href }, { id }) => ({
    contents: [
      {
        uri: href,
        mimeType: 'application/json',
        text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
      },
    ],
  }))
}

function registerPrompts(server: McpServer): void {
  const user = (content: ReturnType<typeof text | typeof embedded> | typeof image) =>
    ({ role: 'user', content }) as const
  server.registerPrompt('test_simple_prompt', { description: 'simple' }, async () => ({
    messages: [user(text('This is a simple prompt for testing.'))],
  }))
  const argument = completable(z.string(), (value) =>
    ['paris', 'park', 'party'].filter((word) => word.startsWith(value)),
  )
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'with arguments', argsSchema: z.object({ arg1: argument, arg2: z.string() }) },
    async ({ arg1, arg2 }) => ({
      messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  )
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'with a resource', argsSchema: z.object({ resourceUri: z.string() }) },
    async ({ resourceUri }) => ({
      messages: [
        user(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.')),
        user(text('Please process the embedded resource above.')),
      ],
    }),
  )
  server.registerPrompt('test_prompt_with_image', { description: 'with an image' }, async () => ({
    messages: [user(image), user(text('Please analyze the image above.'))],
  }))
}

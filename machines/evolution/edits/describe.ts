// What a declaration can honestly be said to do: its name in words, and its signature. Where that would only repeat the
// name, there is no description, and a person has to write it.
import { keyName } from '../functions.ts'
import type { ExportedName } from '../exported-names.ts'
import type { Node, SyntaxTree } from '../syntax-tree.ts'
import { parameterName, parameterType } from '../type-coverage.ts'
import type { FunctionNode } from '../type-coverage.ts'
import { isFunction, walk } from '../walk.ts'
import { enumeration, isPreposition, isVerb, sentence, thirdPerson, withArticle, wordsOf } from './words.ts'

/** The content of a documentation comment. */
export interface Description {
  readonly text: string
  readonly tags: readonly { readonly tag: string; readonly name?: string; readonly text: string }[]
}

/** Describes an exported declaration, or gives undefined when there is nothing to say beyond its name. */
export function describe(tree: SyntaxTree, exported: ExportedName): Description | undefined {
  const { declaration, kind, name } = exported
  switch (kind) {
    case 'function':
      return describeFunction(tree, name, declaration as FunctionNode)
    case 'class':
      return describeClass(tree, name, declaration)
    case 'interface':
      return describeMembers(tree, name, declaration)
    case 'type':
      return describeAlias(tree, name, declaration)
    case 'enum':
      return describeEnum(declaration)
    case 'variable':
      return undefined
    default:
      throw new TypeError(`unknown kind of export ${String(kind satisfies never)}`)
  }
}

function describeFunction(tree: SyntaxTree, name: string, node: FunctionNode): Description | undefined {
  const text = name === 'default' ? undefined : functionSentence(name, node)
  const tags = [...parameterTags(tree, node), ...returnTags(tree, node), ...throwTags(node)]
  return text === undefined || tags.length === 0 ? undefined : { text, tags }
}

function functionSentence(name: string, node: FunctionNode): string | undefined {
  const words = wordsOf(name)
  const [first, ...rest] = words
  if (first === undefined) return undefined
  const subject = node.params[0] && parameterName(node.params[0])
  const it = subject === undefined || subject === 'this' ? 'it' : `\`${subject}\``
  const bySpecialWord = rest.length > 0 ? phraseFor(first, rest, it) : undefined
  if (bySpecialWord !== undefined) return sentence(bySpecialWord)
  if (isVerb(first)) return sentence([thirdPerson(first), objectOf(rest)].join(' ').trim())
  const isNoun = !isPreposition(first) && !/^(is|are|has|can|should|new|not|no|this|it|when|then)$/.test(first)
  return isNoun && givesValue(node) && !/^[A-Z]/.test(name) ? sentence(`gives the ${words.join(' ')}`) : undefined
}

/** First words that mean more than that something is done. */
function phraseFor(first: string, rest: readonly string[], it: string): string | undefined {
  const object = rest.join(' ')
  if (/^(is|are|has)$/.test(first)) return `tells whether ${it} ${first} ${object}`
  if (/^(can|should)$/.test(first)) return `tells whether it ${first} ${object}`
  if (first === 'on') return `handles ${object}`
  if (first === 'to') return `converts ${it} to ${object}`
  if (first === 'new') return `makes ${withArticle(rest)}`
  return /^(create|make|build|define|open)$/.test(first) ? `${thirdPerson(first)} ${withArticle(rest)}` : undefined
}

function objectOf(words: readonly string[]): string {
  const needsNoArticle = isPreposition(words[0]) || /^(all|each|every|is|has)?$/.test(words[0] ?? '')
  return needsNoArticle ? words.join(' ') : `the ${words.join(' ')}`
}

/** Parameters that have more to say than their name: a type or a default value. */
function parameterTags(tree: SyntaxTree, node: FunctionNode): Description['tags'] {
  return node.params.flatMap((parameter) => {
    const type = parameterType(parameter)
    const typeText = type && shortText(tree, type)
    const name = parameterName(parameter) ?? (typeText && lowerFirst(/^[A-Za-z]\w*/.exec(typeText)?.[0] ?? ''))
    const value = parameter.type === 'AssignmentPattern' ? shortText(tree, parameter.right) : undefined
    const optional = 'optional' in parameter && Boolean(parameter.optional) ? 'optional' : undefined
    const facts = [typeText, optional, value && `${value} by default`].filter((fact) => fact !== undefined)
    return name === undefined || name === '' || name === 'this' || facts.length === 0
      ? []
      : [{ tag: 'param', name, text: facts.join(', ') }]
  })
}

function returnTags(tree: SyntaxTree, node: FunctionNode): Description['tags'] {
  const type = node.returnType?.typeAnnotation
  const text = type && shortText(tree, type)
  return text === undefined || /^(void|Promise<void>|undefined)$/.test(text) ? [] : [{ tag: 'returns', text }]
}

/** Errors that the function itself throws, outside of any `try`. */
function throwTags(node: FunctionNode): Description['tags'] {
  const found = new Map<string, { tag: string; text: string }>()
  if (!node.body) return []
  walk(node.body, {
    enter(inner) {
      if (isFunction(inner) || inner.type === 'TryStatement') return 'skip'
      if (inner.type !== 'ThrowStatement' || inner.argument.type !== 'NewExpression') return
      const { callee, arguments: passed } = inner.argument
      if (callee.type !== 'Identifier') return
      const message = passed.find(({ type }) => type === 'Literal')
      const words = message?.type === 'Literal' && typeof message.value === 'string' ? plain(message.value) : undefined
      const text = words ? `${callee.name}: ${words}` : callee.name
      found.set(text, { tag: 'throws', text })
    },
  })
  return [...found.values()]
}

function describeClass(tree: SyntaxTree, name: string, node: Node): Description | undefined {
  if (node.type !== 'ClassDeclaration' && node.type !== 'ClassExpression') return undefined
  const members = node.body.body.flatMap((member) => {
    if (member.type !== 'MethodDefinition' && member.type !== 'PropertyDefinition') return []
    const isHidden = member.accessibility === 'private' || member.accessibility === 'protected' || member.computed
    const key = keyName(member.key)
    return isHidden || member.static || key === undefined || /^[#_]|^constructor$/.test(key) ? [] : [key]
  })
  const parent = node.superClass && shortText(tree, node.superClass)
  const kinds = (node.implements ?? []).map(({ expression }) => shortText(tree, expression))
  const facts = [
    ...(parent ? [`extends ${parent}`] : []),
    ...(kinds.length > 0 ? [`implements ${enumeration(kinds.filter((kind) => kind !== undefined))}`] : []),
  ]
  const has = members.length > 0 ? ` with ${enumeration([...new Set(members)])}` : ''
  if (facts.length === 0 && has === '') return undefined
  const subject = name === 'default' ? 'a class' : withArticle(wordsOf(name))
  return { text: sentence([subject + has, ...facts].join('; ')), tags: [] }
}

function describeMembers(tree: SyntaxTree, name: string, node: Node): Description | undefined {
  if (node.type !== 'TSInterfaceDeclaration') return undefined
  const members = memberNames(node.body.body)
  const parents = node.extends.map(({ expression }) => shortText(tree, expression)).filter((text) => text !== undefined)
  const has = members.length > 0 ? ` with ${enumeration(members)}` : ''
  const facts = parents.length > 0 ? `; extends ${enumeration(parents)}` : ''
  return has + facts === '' ? undefined : { text: sentence(withArticle(wordsOf(name)) + has + facts), tags: [] }
}

function describeAlias(tree: SyntaxTree, name: string, node: Node): Description | undefined {
  if (node.type !== 'TSTypeAliasDeclaration') return undefined
  const type = node.typeAnnotation
  if (type.type === 'TSTypeLiteral') {
    const members = memberNames(type.members)
    return members.length === 0
      ? undefined
      : { text: sentence(`${withArticle(wordsOf(name))} with ${enumeration(members)}`), tags: [] }
  }
  if (type.type === 'TSUnionType') {
    const parts = type.types.map((part) => shortText(tree, part))
    return parts.some((part) => part === undefined)
      ? undefined
      : { text: sentence(`one of ${enumeration(parts as string[], { last: 'or', limit: 6 })}`), tags: [] }
  }
  if (type.type !== 'TSFunctionType' || !type.returnType) return undefined
  const takes = type.params.map((parameter) => parameterName(parameter) ?? 'an object')
  const gives = shortText(tree, type.returnType.typeAnnotation)
  const facts = [takes.length > 0 ? `takes ${enumeration(takes)}` : 'takes nothing', gives && `gives ${gives}`]
  return { text: sentence(`a function that ${facts.filter(Boolean).join(' and ')}`), tags: [] }
}

function describeEnum(node: Node): Description | undefined {
  if (node.type !== 'TSEnumDeclaration') return undefined
  const names = node.body.members.map(({ id }) => keyName(id)).filter((member) => member !== undefined)
  return names.length === 0
    ? undefined
    : { text: sentence(`one of ${enumeration(names, { last: 'or', limit: 8 })}`), tags: [] }
}

function memberNames(members: readonly Node[]): string[] {
  const names = members.flatMap((member) =>
    (member.type === 'TSPropertySignature' || member.type === 'TSMethodSignature') && !member.computed
      ? (keyName(member.key) ?? [])
      : [],
  )
  return [...new Set(names)]
}

/** Whether something comes back: a type says so, or a `return` with a value. */
function givesValue(node: FunctionNode): boolean {
  if (node.returnType) return !/^TS(Void|Never|Undefined)Keyword$/.test(node.returnType.typeAnnotation.type)
  if (!node.body) return false
  if (node.body.type !== 'BlockStatement') return true
  let found = false
  walk(node.body, {
    enter(inner) {
      if (isFunction(inner)) return 'skip'
      if (inner.type === 'ReturnStatement' && inner.argument) found = true
    },
  })
  return found
}

/** The source of a node when it is short, on one line, and cannot be mistaken for an end of comment or a tag's type. */
function shortText({ text }: SyntaxTree, { start, end }: Node): string | undefined {
  const source = text.slice(start, end)
  return source.length <= 60 && !/[\r\n@]|\*\/|\/\*|^\{/.test(source) ? source : undefined
}

function plain(text: string): string | undefined {
  const line = text.trim().replaceAll(/\s+/g, ' ')
  return line === '' || line.length > 80 || /\*\/|@/.test(line) ? undefined : line
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1)

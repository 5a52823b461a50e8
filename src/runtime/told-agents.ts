// Told agents: what is said to agents that work elsewhere where the sentence of an error names what is nothing for them:
// other agents, keys, events and workflows.

const FOR_AGENTS: Readonly<Record<string, string>> = {
  'agent.unknown': 'there is no such agent here',
  'event.unknown': 'there is no such event here',
  'run.definition-changed': 'the run cannot go on at the moment',
  'run.migration-failed': 'the run cannot go on at the moment',
  'workflow.unregistered': 'the run cannot go on at the moment',
}

/** The sentence for an agent; undefined where it may have the error's own. */
export function sentenceForAgents(code: string): string | undefined {
  return Object.hasOwn(FOR_AGENTS, code) ? FOR_AGENTS[code] : undefined
}

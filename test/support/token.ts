/** The parts of a token, `cbt_<id>_<secret>`: the secret may have underscores of its own. */
export const idOf = (token: string): string => partsOf(token).id
export const secretOf = (token: string): string => partsOf(token).secret

function partsOf(token: string): { readonly id: string; readonly secret: string } {
  const [, id, secret] = /^cbt_([^_]+)_(.+)$/.exec(token) ?? []
  if (id === undefined || secret === undefined) throw new Error(`not a token: ${token}`)
  return { id, secret }
}

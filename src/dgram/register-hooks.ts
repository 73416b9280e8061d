/** The ESM half of `geysir/register`: runs on the thread of Node's module hooks and imports nothing. */

interface Resolved {
  url: string
  shortCircuit?: boolean
}

type NextResolve = (specifier: string, context: { parentURL?: string }) => Promise<Resolved>

let dropInUrl = ''

export function initialize(data: { url: string }): void {
  dropInUrl = data.url
}

/** Everybody's `dgram` is the drop-in, but the drop-in's own. */
export function resolve(specifier: string, context: { parentURL?: string }, next: NextResolve): Promise<Resolved> | Resolved {
  const isDgram = specifier === 'dgram' || specifier === 'node:dgram'
  if (!isDgram || isOwn(context.parentURL)) return next(specifier, context)
  return { url: dropInUrl, shortCircuit: true }
}

function isOwn(parentUrl: string | undefined): boolean {
  return parentUrl?.startsWith(dropInUrl.slice(0, dropInUrl.lastIndexOf('/') + 1)) ?? false
}

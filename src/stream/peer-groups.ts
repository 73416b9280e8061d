import type { GroupMember } from './group-member.js'

/** What a group's stream is known by at its receiver. */
interface Grouped {
  readonly group: { readonly group: number } | undefined
}

/** What connects a peer with groups: few peers have any. */
export class PeerGroups<S extends Grouped> {
  /** Streams of groups which it sends to, by the group. */
  readonly #streams = new Map<number, S>()
  /** It as a receiver of groups that we send to, by the stream there. */
  readonly #members = new Map<number, GroupMember>()

  find(group: number): S | undefined {
    return this.#streams.get(group)
  }

  /** One that has the same group is known by it no more. */
  add(stream: S): void {
    if (stream.group !== undefined) this.#streams.set(stream.group.group, stream)
  }

  remove(stream: S): void {
    if (stream.group !== undefined && this.find(stream.group.group) === stream) this.#streams.delete(stream.group.group)
  }

  findMember(stream: number): GroupMember | undefined {
    return this.#members.get(stream)
  }

  addMember(member: GroupMember): void {
    this.#members.set(member.id, member)
  }

  removeMember(member: GroupMember): void {
    this.#members.delete(member.id)
  }

  members(): GroupMember[] {
    return [...this.#members.values()]
  }
}

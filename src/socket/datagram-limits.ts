/** 65 535 less 20 for IP and 8 for UDP: the length field of IPv4 (RFC 791) counts its header. */
export const MAX_PAYLOAD_BYTES_IPV4 = 65_507
/** 65 535 less 8 for UDP: the length field of UDP (RFC 768), where IPv6 has no other limit. */
export const MAX_PAYLOAD_BYTES_IPV6 = 65_527
/** 20 (RFC 791) or 40 (RFC 8200) bytes of IP, and 8 of UDP (RFC 768). */
const HEADER_BYTES_IPV4 = 28
const HEADER_BYTES_IPV6 = 48
/** RFC 894. */
export const ETHERNET_MTU_BYTES = 1500

/** The longest UDP payload, fragmented or not. */
export function maxPayloadBytes(isIpv4: boolean): number {
  return isIpv4 ? MAX_PAYLOAD_BYTES_IPV4 : MAX_PAYLOAD_BYTES_IPV6
}

/** The longest UDP payload that passes a path in one piece. */
export function unfragmentedPayloadBytes(mtuBytes: number, isIpv4: boolean): number {
  return Math.min(mtuBytes - (isIpv4 ? HEADER_BYTES_IPV4 : HEADER_BYTES_IPV6), maxPayloadBytes(isIpv4))
}

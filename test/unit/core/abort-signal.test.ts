import { expect, test, vi } from 'vitest'
import { checkSignal, obeySignal } from '../../../src/core/index.js'
import { failure } from '../support/errors.js'

test('a signal is an AbortSignal or nothing, not what looks like one', () => {
  const { signal } = new AbortController()
  expect([checkSignal('options.signal', signal), checkSignal('options.signal', undefined)]).toEqual([signal, undefined])
  for (const value of [null, 'abort', {}, { aborted: false }, new EventTarget()]) {
    failure(() => checkSignal('options.signal', value as never), 'ERR_INVALID_ARG_TYPE', /options\.signal.*AbortSignal/)
  }
})

test('a signal is obeyed once, at once, unless it is let go of', () => {
  const controller = new AbortController()
  const [kept, dropped] = [vi.fn(), vi.fn()]
  obeySignal(controller.signal, kept)
  const letGo = obeySignal(controller.signal, dropped)
  letGo()
  letGo()
  expect(kept).not.toHaveBeenCalled()
  controller.abort()
  controller.signal.dispatchEvent(new Event('abort'))
  expect([kept.mock.calls, dropped.mock.calls]).toEqual([[[]], []])
})

test('one that is aborted already is obeyed when the running code has returned, unless it is let go of', async () => {
  const [kept, dropped] = [vi.fn(), vi.fn()]
  obeySignal(AbortSignal.abort(), kept)
  const letGo = obeySignal(AbortSignal.abort(), dropped)
  expect(kept).not.toHaveBeenCalled()
  letGo()
  await Promise.resolve()
  expect([kept.mock.calls, dropped.mock.calls]).toEqual([[[]], []])
})

test('no signal is nothing to obey, and nothing to let go of', () => {
  const obey = vi.fn()
  obeySignal(undefined, obey)()
  expect(obey).not.toHaveBeenCalled()
})

import { expect, test } from 'vitest'
import { throwingLater } from '../../../src/core/index.js'
import { uncaughtDuring } from '../support/turns.js'

test('what is thrown comes later, uncaught, and stops nothing; each by itself', async () => {
  const seen: string[] = []
  const uncaught = await uncaughtDuring(() => {
    for (const name of ['one', 'two']) {
      throwingLater(() => {
        seen.push(name)
        throw new Error(name)
      })
    }
    seen.push('after')
  })
  expect(seen).toEqual(['one', 'two', 'after'])
  expect(uncaught).toEqual([new Error('one'), new Error('two')])
})

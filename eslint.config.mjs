import js from '@eslint/js'
import tseslint from 'typescript-eslint'

// What the rooms of src/ may use is decided in two places: imports in .dependency-cruiser.cjs, globals here.
const CLOCKS_AND_TIMERS = ['Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate'].map((name) => ({
  name,
  message: 'Time and timers live behind the Clock of core, so that everything runs in a simulated network.',
}))
const RANDOMNESS = [
  { object: 'Math', property: 'random', message: 'Randomness comes from the Random of core, from a seed.' },
  { object: 'process', property: 'hrtime', message: 'Time comes from the Clock of core.' },
]
const SYSTEM = ['process', 'navigator', 'fetch'].map((name) => ({ name, message: 'The core knows no operating system.' }))

export default tseslint.config(
  { ignores: ['dist', 'build', 'build-*', 'prebuilds', 'node_modules', 'coverage'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.cjs'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // noUncheckedIndexedAccess makes typed-array loops unreadable without it; the bounds are ours to keep.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      'max-lines-per-function': ['error', { max: 70, skipBlankLines: true, skipComments: true }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/**'],
    rules: {
      'no-restricted-globals': ['error', ...CLOCKS_AND_TIMERS],
      'no-restricted-properties': ['error', ...RANDOMNESS],
      'no-console': 'error',
    },
  },
  // The real clock.
  { files: ['src/system/**'], rules: { 'no-restricted-globals': 'off' } },
  // The drop-in answers to Node's event loop, as Node's own does; the fallback stands in for libuv.
  { files: ['src/dgram/**', 'src/socket/fallback/**'], rules: { 'no-restricted-globals': 'off' } },
  { files: ['src/core/**'], rules: { 'no-restricted-globals': ['error', ...CLOCKS_AND_TIMERS, ...SYSTEM] } },
  { files: ['src/cli/**'], rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off', 'no-console': 'off' } },
  {
    files: ['test/**', 'bench/**', 'examples/**', 'scripts/**', '*.mjs', '*.cjs', '*.ts'],
    rules: {
      'max-lines-per-function': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
  {
    files: ['**/*.mjs', '**/*.cjs', '**/*.js'],
    ...tseslint.configs.disableTypeChecked,
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        setImmediate: 'readonly',
        structuredClone: 'readonly',
        module: 'readonly',
        require: 'readonly',
        AbortController: 'readonly',
        performance: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        gc: 'readonly',
      },
    },
  },
  // Programs as users write them, on packages whose types are of no interest: no types are checked there (tsconfig.json).
  {
    files: ['test/interop/dgram/programs/**'],
    rules: { '@typescript-eslint/no-require-imports': 'off' },
    languageOptions: { globals: { __filename: 'readonly' }, parserOptions: { projectService: false } },
  },
)

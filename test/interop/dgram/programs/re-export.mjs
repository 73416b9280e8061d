export * from 'dgram'

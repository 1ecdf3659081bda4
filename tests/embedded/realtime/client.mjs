// The official JavaScript client, unchanged. Takes orders as lines of JSON and tells, likewise, all that happens.
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'

const require = createRequire(process.env.MODULES)
const { createClient } = require('@supabase/supabase-js')
const ws = require('ws')

const tell = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
const client = createClient(process.env.URL, process.env.KEY, {
  auth: { persistSession: false, autoRefreshToken: false },
  realtime: { transport: ws, params: { vsn: process.env.VSN ?? '2.0.0' }, vsn: process.env.VSN ?? '2.0.0' },
})
const channels = new Map()

const orders = {
  token: ({ token }) => client.realtime.setAuth(token),
  signIn: async ({ email, password }) => {
    const { error } = await client.auth.signInWithPassword({ email, password })
    if (error) throw error
  },
  signOut: () => client.auth.signOut({ scope: 'local' }),
  subscribe: ({ name, private: isPrivate, changes, broadcast }) => {
    const channel = client.channel(name, { config: { private: isPrivate, broadcast } })
    channels.set(name, channel)
    channel.on('broadcast', { event: '*' }, ({ event, payload, meta }) => tell({ kind: 'broadcast', name, event, payload, meta }))
    channel.on('system', {}, (payload) => tell({ kind: 'system', name, payload }))
    changes.forEach((wanted, number) =>
      channel.on('postgres_changes', wanted, (payload) => {
        const { eventType, schema, table, errors } = payload
        tell({ kind: 'change', name, number, event: eventType, schema, table, errors, record: payload.new, old: payload.old })
      }),
    )
    channel.subscribe((state, error) => tell({ kind: 'state', name, state, error: error ? String(error.message ?? error) : null }))
  },
  say: async ({ name, event, payload }) => {
    const answer = await channels.get(name).send({ type: 'broadcast', event, payload })
    tell({ kind: 'said', name, answer })
  },
  track: async ({ name }) => tell({ kind: 'tracked', name, answer: await channels.get(name).track({ here: true }) }),
  unsubscribe: async ({ name }) => tell({ kind: 'left', name, answer: await client.removeChannel(channels.get(name)) }),
  disconnect: () => client.realtime.disconnect(),
}

tell({ kind: 'started' })
for await (const line of createInterface({ input: process.stdin })) {
  const { order, ...wanted } = JSON.parse(line)
  Promise.resolve(orders[order](wanted)).then(
    () => tell({ kind: 'done', order }),
    (error) => tell({ kind: 'failed', order, error: String(error) }),
  )
}
process.exit(0)

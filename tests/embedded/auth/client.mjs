// The official JavaScript client, run by test_javascript_client.py with the server's address and keys in the
// environment. Prints what happened as one line of JSON.
import { createRequire } from 'node:module'
import { randomUUID } from 'node:crypto'

const require = createRequire(process.env.MODULES)
const { createClient } = require('@supabase/supabase-js')
const ws = require('ws')

const { URL: url, OPEN_URL: openUrl, STRICT_URL: strictUrl, PUBLISHABLE, SECRET, PASSWORD, OTHER_PASSWORD } = process.env
const options = { auth: { persistSession: false, autoRefreshToken: false }, realtime: { transport: ws } }
const connect = (where, key) => createClient(where, key, options).auth
const newEmail = () => `${randomUUID()}@example.com`
const told = {}

function ok({ data, error }) {
  if (error) throw error
  return data
}
const code = ({ error }) => error?.code ?? error?.name ?? null

const admin = connect(url, SECRET).admin
const email = newEmail()
const made = ok(await admin.createUser({ email, password: PASSWORD, email_confirm: true })).user
told.created = made.email === email
told.duplicate = code(await admin.createUser({ email, password: PASSWORD }))
const listed = ok(await admin.listUsers({ page: 1, perPage: 1000 }))
told.listed = listed.users.some((user) => user.id === made.id) && listed.total >= listed.users.length
told.found = ok(await admin.getUserById(made.id)).user.email === email
told.publicAdmin = code(await connect(url, PUBLISHABLE).admin.listUsers())

told.signUpOff = code(await connect(url, PUBLISHABLE).signUp({ email: newEmail(), password: PASSWORD }))
const signedUp = ok(await connect(openUrl, PUBLISHABLE).signUp({ email: newEmail(), password: PASSWORD }))
told.signUpOn = signedUp.session !== null && signedUp.user.identities.length === 1

const auth = connect(url, PUBLISHABLE)
told.wrongPassword = code(await auth.signInWithPassword({ email, password: 'wrong wrong wrong' }))
const first = ok(await auth.signInWithPassword({ email, password: PASSWORD })).session
told.user = ok(await auth.getUser()).user.id === made.id
const claims = ok(await auth.getClaims())
told.claims = [claims.header.alg, claims.claims.sub === made.id]
const second = ok(await auth.refreshSession()).session
told.rotated = second.refresh_token !== first.refresh_token
const again = ok(await auth.refreshSession({ refresh_token: first.refresh_token })).session
told.grace = again.refresh_token === second.refresh_token
const updated = ok(await auth.updateUser({ password: OTHER_PASSWORD, data: { colour: 'red' } })).user
told.updated = updated.user_metadata
told.signedOut = code(await auth.signOut())
told.afterSignOut = code(await auth.getUser(second.access_token))
told.newPassword = code(await auth.signInWithPassword({ email, password: OTHER_PASSWORD }))

const strict = connect(strictUrl, PUBLISHABLE)
const stolen = ok(await strict.signInWithPassword({ email, password: OTHER_PASSWORD })).session
ok(await strict.refreshSession())
told.reused = code(await connect(strictUrl, PUBLISHABLE).refreshSession({ refresh_token: stolen.refresh_token }))
told.family = code(await strict.refreshSession())

const banned = ok(await admin.updateUserById(made.id, { ban_duration: '24h' })).user
told.banned = banned.banned_until !== undefined
ok(await admin.deleteUser(made.id))
told.deleted = code(await admin.getUserById(made.id))

console.log(JSON.stringify(told))

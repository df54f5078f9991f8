/** The address of a database as providers and other programs print it: what it means, what is dropped, what is refused. */

import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { type DatabaseAddress, parseAddress, placeOf } from '../../../lib/adapters/postgres/connection/address.ts';
import { tlsOptions } from '../../../lib/adapters/postgres/connection/address-tls.ts';
import { adviceOf, classOfCode } from '../../../lib/adapters/postgres/connection/sqlstate.ts';

const refusal = (text: string): Error & { code?: string } => {
  try {
    parseAddress(text);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`'${text}' was taken`);
};

describe('an address means', () => {
  it.each<[string, Partial<DatabaseAddress>]>([
    ['postgres://me@db/app', { hosts: [{ host: 'db', port: 5432 }], user: 'me', database: 'app' }],
    ['postgresql://me:pw@db:6543/app', { hosts: [{ host: 'db', port: 6543 }], password: 'pw' }],
    ['POSTGRES://me@db/app', { user: 'me' }],
    ['postgres:///app', { hosts: [{ host: 'localhost', port: 5432 }], database: 'app' }],
    ['postgres://me@[::1]:5433/app', { hosts: [{ host: '::1', port: 5433 }] }],
    ['postgres://me@[2001:db8::5]/app', { hosts: [{ host: '2001:db8::5', port: 5432 }] }],
    [
      'postgres://me@one:1,[::1]:2,three/app',
      {
        hosts: [
          { host: 'one', port: 1 },
          { host: '::1', port: 2 },
          { host: 'three', port: 5432 },
        ],
      },
    ],
    ['postgres://m%40e:p%40%2F%3A%3F%23%25@db/my%20app', { user: 'm@e', password: 'p@/:?#%', database: 'my app' }],
    ['postgres://me:p@ss@db/app', { password: 'p@ss', hosts: [{ host: 'db', port: 5432 }] }],
    ['postgres://me:a/b?c#d@db/app', { password: 'a/b?c#d', database: 'app' }],
    ['postgres://me:100%@db/app', { password: '100%' }],
    ['postgres://me:a:b@db/app', { user: 'me', password: 'a:b' }],
    ['postgres://%2Fvar%2Frun%2Fpostgresql/app', { hosts: [{ host: '/var/run/postgresql', port: 5432 }] }],
    ['postgres:///app?host=/tmp&port=5433&user=me', { hosts: [{ host: '/tmp', port: 5433 }], user: 'me' }],
    [
      'jdbc:postgresql://db:5433/app?user=me&password=p%26w&ssl=true',
      { hosts: [{ host: 'db', port: 5433 }], user: 'me', password: 'p&w', database: 'app', tls: 'verify-full' },
    ],
    ['jdbc:postgresql:app', { hosts: [{ host: 'localhost', port: 5432 }], database: 'app' }],
    ['postgresql+psycopg2://me@db/app', { hosts: [{ host: 'db', port: 5432 }] }],
    ["host=db dbname='my app' user=me password='it\\'s'", { database: 'my app', password: "it's" }],
    ['postgres://me:12?hunter2=x@db/app', { password: '12?hunter2=x' }],
    ['postgres://me:x@y/z?hunter2=1@db/app', { password: 'x@y/z?hunter2=1', database: 'app' }],
    [
      "host=::1 port=5433 dbname='my app' user=me sslmode=require",
      { hosts: [{ host: '::1', port: 5433 }], database: 'my app', tls: 'require' },
    ],
    ["psql 'postgresql://me@ep.neon.tech/app?sslmode=require'", { database: 'app', tls: 'require' }],
    ['"postgres://me@db/app"', { database: 'app' }],
    [
      'postgres://me@db/app?application_name=shop&connect_timeout=2',
      { applicationName: 'shop', connectTimeoutSeconds: 2 },
    ],
    ['postgres://me@db/app?application_name=me@shop', { applicationName: 'me@shop' }],
    ['postgres://me@db/app?sslnegotiation=direct&sslmode=require', { directTls: true }],
    ['postgres://me@db/app?sslrootcert=system', { tls: 'verify-full', files: {} }],
    [
      'postgres://me@db/app?sslmode=verify-ca&sslrootcert=/ca.pem',
      { tls: 'verify-ca', files: { authorities: '/ca.pem' } },
    ],
  ])('%s', (text, meaning) => {
    expect(parseAddress(text)).toMatchObject(meaning);
  });

  it.each([
    ['disable', 'disable'],
    ['allow', 'prefer'],
    ['prefer', 'prefer'],
    ['require', 'require'],
    ['no-verify', 'require'],
    ['verify-ca', 'verify-ca'],
    ['verify-full', 'verify-full'],
  ])('sslmode=%s as %s', (written, tls) => {
    expect(parseAddress(`postgres://me@db/app?sslmode=${written}`).tls).toBe(tls);
  });
});

describe('what belongs to other programs is dropped with a word', () => {
  it.each([
    ['Neon', '?sslmode=require&channel_binding=require', ['channel_binding']],
    [
      'Prisma',
      '?schema=public&connection_limit=1&pool_timeout=10&pgbouncer=true&socket_timeout=5',
      ['schema', 'connection_limit', 'pool_timeout', 'pgbouncer', 'socket_timeout'],
    ],
    ['Supabase on Vercel', '?pgbouncer=true&supa=base-pooler.x', ['supa']],
    ['node-postgres', '?uselibpqcompat=true&sslmode=require&query_timeout=5', ['uselibpqcompat', 'query_timeout']],
    [
      'libpq',
      '?keepalives=1&keepalives_idle=30&tcp_user_timeout=1000&gssencmode=disable',
      ['keepalives, keepalives_idle, tcp_user_timeout', 'gssencmode'],
    ],
    ['Rails', '?pool=5&prepared_statements=false&encoding=unicode', ['pool, prepared_statements, encoding']],
    ['pgx', '?pool_max_conns=10&default_query_exec_mode=exec', ['pool_max_conns']],
    [
      'JDBC',
      '?currentSchema=x&prepareThreshold=0&reWriteBatchedInserts=true&tcpKeepAlive=true',
      ['currentschema', 'preparethreshold'],
    ],
    ['Doctrine', '?serverVersion=16&charset=utf8', ['serverversion, charset']],
    [
      'settings of a session',
      '?options=-c%20search_path%3Dx&statement_timeout=1000&TimeZone=UTC',
      ['options', 'statement_timeout, timezone'],
    ],
    ['a provider that reads options', '?options=endpoint%3Dep-cool-name', ['options']],
    ['several servers', '?target_session_attrs=any', ['target_session_attrs']],
  ])('%s', (_who, query, named) => {
    const { notes } = parseAddress(`postgres://me:pw@db/app${query}`);
    for (const name of named) expect(notes.join('\n')).toContain(name);
  });

  it('and nothing is said of an address that is used wholly', () => {
    expect(parseAddress('postgres://me:pw@db/app?sslmode=require&application_name=x').notes).toEqual([]);
    expect(parseAddress('postgres://me:pw@db/app?target_session_attrs=read-write').notes).toEqual([]);
  });

  it('and a missing name of the database is said', () => {
    expect(parseAddress('postgres://me@db').notes.join()).toContain('no database is named');
  });
});

describe('an address is refused', () => {
  it.each([
    ['an unknown parameter, by name', 'postgres://me@db/app?frobnicate=1', /'frobnicate'.*ALTER ROLE/],
    ['several unknown parameters', 'postgres://me@db/app?frob=1&nicate=2&schema=x', /'frob', 'nicate'/],
    ['a proxy of Prisma', 'prisma://accelerate.prisma-data.net/?api_key=x', /proxy of Prisma.*directUrl/],
    ['the other proxy of Prisma', 'prisma+postgres://accelerate.prisma-data.net/?api_key=x', /proxy of Prisma/],
    ['another database', 'mysql://me:hunter2@db/app', /'mysql' is not that of a Postgres/],
    ['a web page', 'https://db.example/app', /'https'/],
    ['nothing', '', /cannot be read.*postgres:\/\/ROLE/],
    ['a word', 'hunter2', /cannot be read/],
    ['a port that is none', 'postgres://me:hunter2@db:70000/app', /port is a number/],
    ['an sslmode that is none', 'postgres://me@db/app?sslmode=maybe', /'maybe'.*verify-full/],
    ['a replica', 'postgres://me@db/app?target_session_attrs=standby', /Name the primary server/],
    ['another role', 'postgres://me@db/app?options=-c%20role%3Downer', /log in as that role/],
    ['a service', 'postgres:///?service=prod', /'service'.*host, database and role/],
    ['a session of replication', 'postgres://me@db/app?replication=database', /'replication'/],
    ['a socket among hosts', 'postgres:///app?host=/tmp,db', /several hosts/],
  ])('%s', (_what, text, says) => {
    const error = refusal(text);
    expect(error).toMatchObject({ code: 'invalid_config' });
    expect(error.message).toMatch(says);
    expect(error.message).not.toContain('hunter2');
  });

  it.each([
    'postgres://me:hunter2@db:port/app',
    'postgres://me:x@y/z?hunter2=1@db/app?other=1',
    'postgres://me:12?hunter2=x@db/app?other=1',
    'host=db password=my hunter2=1',
    'postgres://me:hunter2@db/app?x=1',
  ])('without a piece of the password: %s', (text) => {
    expect(inspect(refusal(text), { depth: 9 }).split('\n')[0]).not.toContain('hunter2');
  });
});

describe('the place that a message names', () => {
  it.each([
    ['postgres://me:se%40cret@db.example:6543/app?sslmode=require', 'db.example:6543/app'],
    ['postgresql://me@db.example/app', 'db.example:5432/app'],
    ['postgres://me:p@ss@one:1,two:2/app', 'one:1,two:2/app'],
    ['postgres:///app', 'localhost:5432/app'],
    ['postgres://me@[::1]:1/app', '[::1]:1/app'],
    ['hunter2', 'an address that cannot be read'],
  ])('of %s is %s', (url, place) => {
    expect(placeOf(url)).toBe(place);
  });
});

describe('TLS as the address asks for it', () => {
  const asked = (query: string, host = 'db') => tlsOptions(parseAddress(`postgres://me@${host}/app${query}`));
  it.each([
    ['', false],
    ['?sslmode=disable', false],
    ['?sslmode=prefer', 'prefer'],
    ['?sslmode=require', { rejectUnauthorized: false }],
    ['?sslmode=verify-ca', { rejectUnauthorized: true }],
    ['?sslmode=verify-full', { rejectUnauthorized: true }],
  ])('%s', (query, options) => {
    const made = asked(query);
    if (typeof options === 'object') expect(made).toMatchObject(options);
    else expect(made).toBe(options);
  });

  it('compares the certificate with every host of verify-full, and with none of verify-ca', () => {
    const shown = { subjectaltname: 'DNS:two', subject: {} } as never;
    const check = (query: string, hosts: string) =>
      (asked(query, hosts) as { checkServerIdentity(host: string, shown: never): unknown }).checkServerIdentity(
        'localhost',
        shown,
      );
    expect(check('?sslmode=verify-full', 'one,two')).toBeUndefined();
    expect(check('?sslmode=verify-full', '10.0.0.1')).toBeInstanceOf(Error);
    expect(check('?sslmode=verify-ca', 'one')).toBeUndefined();
  });

  it('asks for none on a socket, and names a file that cannot be read', () => {
    expect(tlsOptions(parseAddress('postgres:///app?host=/tmp&sslmode=require'))).toBe(false);
    expect(() => asked('?sslmode=verify-full&sslrootcert=/no/such.pem')).toThrow(/\/no\/such\.pem.*ENOENT/);
  });
});

describe('the advice of an answer', () => {
  const advice = (code: string, fatal = false, of = '') => adviceOf(code, classOfCode(code), fatal, of);
  it.each([
    ['a read-only server', advice('25006'), /replica, or is read-only: name the primary/],
    ['a parameter that the server does not know', advice('42704', true), /parameter of the login/],
    ['a parameter that a pooler does not know', advice('08P01', true), /ignore_startup_parameters/],
    ['a tenant that a pooler does not know', advice('XX000', true), /ended the login: check host/],
    ['a statement that took too long', advice('57014'), /statement_timeout/],
    ['a lock', advice('55P03'), /pg_locks/],
    ['a right', advice('42501', false, 'permission denied for table orders'), /crossfade doctor/],
    [
      'a setting under which no trigger runs',
      advice('42501', false, 'keine Berechtigung, um Parameter »session_replication_role« zu setzen'),
      /no grant helps.*RESET session_replication_role/,
    ],
    ['a function that is missing', advice('42883'), /crossfade migrate/],
    ['a server that is away', advice('ECONNREFUSED'), /Check that Postgres runs/],
  ])('%s', (_what, said, wanted) => {
    expect(said).toMatch(wanted);
    if (!/crossfade migrate/.test(wanted.source)) expect(said).not.toContain('crossfade migrate');
  });
});

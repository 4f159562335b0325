// Asks Kusto's own language service what is wrong with the queries of a Bicep file: node kql.cjs FILE, with
// @kusto/language-service-next in NODE_PATH. The table is the one that the file makes.
const { readFileSync } = require('node:fs')
require('@kusto/language-service-next/bridge.js')
require('@kusto/language-service-next/Kusto.Language.Bridge.js')

const { GlobalState, KustoCode, Symbols } = globalThis.Kusto.Language
const source = readFileSync(process.argv[2], 'utf8')
const named = [...source.matchAll(/\{ name: '(\w+)', type: '(\w+)' \}/g)].map(([, name, type]) => `${name}: ${type.toLowerCase()}`)
const table = Symbols.TableSymbol.From(`(${[...new Set(named)].join(', ')})`).WithName('ApimProbe_CL')
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor('workspace', [table]))
const [, shared] = source.match(/var newFindings = '''\n([\s\S]*?)'''/)
const queries = [...source.matchAll(/query: (concat\(newFindings, )?'''\n([\s\S]*?)'''/g)].map(([, begins, text]) => (begins ? shared : '') + text)

let faults = 0
for (const query of queries) {
  const said = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics()
  for (let n = 0; n < said.Count; n++, faults++) {
    const { Message, Start, Length } = said.getItem(n)
    console.log(`${Message} (${query.slice(Start, Start + Length)})`)
  }
}
console.log(`${queries.length} queries, ${faults} faults`)
process.exit(queries.length > 4 && faults === 0 ? 0 : 1)

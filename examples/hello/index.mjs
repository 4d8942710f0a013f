// A handler takes the Web's Request and answers with a Response, a text, or an object that becomes JSON.
export default function hello(request, context) {
  const name = new URL(request.url).searchParams.get('name') ?? 'world'
  console.log(`saying hello to ${name}`)
  return { hello: name, version: context.function.version }
}

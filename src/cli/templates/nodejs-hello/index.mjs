// A handler takes the Web's Request and answers with a Response, a text, or an object that becomes JSON.
export default function hello(request, context) {
  const { searchParams } = new URL(request.url)
  const name = searchParams.get('name') ?? 'world'
  console.log(`saying hello to ${name}`)
  return { message: `Hello, ${name}!`, version: context.function.version }
}

export default () => 'Hello, World!'

// In a workspace the learner's own file lies here.
export { program } from '../1-cli/solution.ts'

export async function printDiagnosis(_flags: { json?: boolean; plain?: boolean }): Promise<void> {}

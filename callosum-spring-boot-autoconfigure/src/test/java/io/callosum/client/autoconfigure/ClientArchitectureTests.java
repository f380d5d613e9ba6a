/*
 * Copyright 2026 the Callosum authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *      https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

package io.callosum.client.autoconfigure;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

/**
 * Tests for what the packages of the client may depend on.
 */
@AnalyzeClasses(packages = "io.callosum", importOptions = DoNotIncludeTests.class)
class ClientArchitectureTests {

	private static final String[] OPTIONAL = { "org.springframework.boot.actuate..",
			"org.springframework.boot.health..", "org.springframework.boot.micrometer..", "io.micrometer.." };

	@ArchTest
	static final ArchRule theClientUsesNothingButWhatItNeeds = classes().that()
		.resideInAPackage("io.callosum.client")
		.should()
		.onlyDependOnClassesThat()
		.resideInAnyPackage("io.callosum.client", "io.callosum.transport", "java..", "javax..", "jdk.net..",
				"io.netty..", "reactor..", "org.springframework.core..", "org.springframework.util..",
				"org.springframework.context..", "org.jspecify..", "org.reactivestreams..",
				"org.apache.commons.logging..");

	@ArchTest
	static final ArchRule theClientDoesNotKnowTheServer = noClasses().that()
		.resideInAPackage("io.callosum.client..")
		.should()
		.dependOnClassesThat()
		.resideInAPackage("io.callosum.server..");

	@ArchTest
	static final ArchRule theServerDoesNotKnowTheClient = noClasses().that()
		.resideInAPackage("io.callosum.server..")
		.should()
		.dependOnClassesThat()
		.resideInAPackage("io.callosum.client..");

	@ArchTest
	static final ArchRule onlyActuateUsesActuatorAndMicrometer = noClasses().that()
		.resideInAPackage("io.callosum.client..")
		.and()
		.resideOutsideOfPackage("io.callosum.client.autoconfigure.actuate..")
		.should()
		.dependOnClassesThat()
		.resideInAnyPackage(OPTIONAL);

	@ArchTest
	static final ArchRule nothingElseUsesActuate = noClasses().that()
		.resideOutsideOfPackage("io.callosum.client.autoconfigure.actuate..")
		.should()
		.dependOnClassesThat()
		.resideInAPackage("io.callosum.client.autoconfigure.actuate..");

	@ArchTest
	static final ArchRule onlyOneClassUsesSpringCloud = noClasses().that()
		.doNotHaveFullyQualifiedName(SpringCloudDiscovery.class.getName())
		.should()
		.dependOnClassesThat()
		.resideInAPackage("org.springframework.cloud..");

}
